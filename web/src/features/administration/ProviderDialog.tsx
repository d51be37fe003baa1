import { Checkbox, PasswordInput, SegmentedControl, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { Problem } from '@/api/client'
import { changeProvider, createProvider } from '@/api/gateway'
import type { Provider } from '@/api/types'
import { useLanguage } from '@/i18n'
import { FormDialog } from '@/ui/FormDialog'

const USUAL_ADDRESS = { openai: 'https://api.openai.com/v1', anthropic: 'https://api.anthropic.com' } as const
const USUAL_NAME = { openai: 'OpenAI', anthropic: 'Anthropic' } as const
type Kind = keyof typeof USUAL_ADDRESS

export interface ProviderDialogProps {
  /** Null: a new one. */
  provider: Provider | null
  onSaved: (provider: Provider) => void
  onClose: () => void
}

export function ProviderDialog({ provider, onSaved, onClose }: ProviderDialogProps) {
  const { t } = useLanguage()
  const [kind, setKind] = useState<Kind>(provider?.kind === 'anthropic' ? 'anthropic' : 'openai')
  const [name, setName] = useState(provider?.name ?? '')
  const [address, setAddress] = useState(provider?.base_url ?? '')
  const [apiKey, setApiKey] = useState('')
  const [allowPrivate, setAllowPrivate] = useState(provider?.allow_private ?? false)
  const save = useMutation({
    mutationFn: () => {
      const wish = {
        name: name.trim() === '' ? USUAL_NAME[kind] : name.trim(),
        base_url: address.trim() === '' ? USUAL_ADDRESS[kind] : address.trim(),
        allow_private: allowPrivate,
        ...(apiKey === '' ? {} : { api_key: apiKey.trim() }),
      }
      return provider === null ? createProvider({ ...wish, kind }) : changeProvider(provider.id, wish)
    },
    onSuccess: onSaved,
  })
  const problem = save.error instanceof Problem ? save.error : null
  return (
    <FormDialog
      title={provider === null ? t.models.addProvider : provider.name}
      action={provider === null ? t.models.addProvider : t.common.save}
      busy={save.isPending}
      error={save.error}
      onSubmit={() => save.mutate()}
      onClose={onClose}
    >
      {provider === null && (
        <SegmentedControl
          aria-label={t.models.kind}
          fullWidth
          value={kind}
          data={[
            { value: 'openai', label: t.models.kinds.openai },
            { value: 'anthropic', label: t.models.kinds.anthropic },
          ]}
          onChange={(value) => setKind(value)}
        />
      )}
      <TextInput
        label={t.models.name}
        placeholder={USUAL_NAME[kind]}
        data-autofocus
        maxLength={100}
        value={name}
        error={problem?.fieldError('name')}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <TextInput
        label={t.models.address}
        description={t.models.addressHint}
        placeholder={USUAL_ADDRESS[kind]}
        type="url"
        value={address}
        error={problem?.fieldError('base_url')}
        onChange={(event) => setAddress(event.currentTarget.value)}
      />
      <PasswordInput
        label={t.models.apiKey}
        description={provider?.has_api_key === true ? t.models.apiKeyKeep : t.models.apiKeyHint}
        autoComplete="off"
        visibilityToggleButtonProps={{ 'aria-label': t.common.showPassword, tabIndex: 0 }}
        value={apiKey}
        error={problem?.fieldError('api_key')}
        onChange={(event) => setApiKey(event.currentTarget.value)}
      />
      <Checkbox
        label={t.models.allowPrivate}
        description={t.models.allowPrivateHint}
        checked={allowPrivate}
        onChange={(event) => setAllowPrivate(event.currentTarget.checked)}
      />
    </FormDialog>
  )
}
