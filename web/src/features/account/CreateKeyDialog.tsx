import { Checkbox, MultiSelect, NumberInput, Select, Stack, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Problem } from '@/api/client'
import { createKey } from '@/api/keys'
import { useLanguage } from '@/i18n'
import { FormDialog } from '@/ui/FormDialog'
import { useSession } from '@/ui/session'
import { BoundsFields, UNBOUND, wishOf } from './KeyBounds'
import { ShownOnce } from './ShownOnce'

const LIFETIMES = { never: null, d7: 7, d30: 30, d90: 90, d365: 365 } as const
type Lifetime = keyof typeof LIFETIMES

const USUAL = ['gateway:use', 'chat:use', 'models:read', 'credits:read']
const DAY_MS = 86_400_000

export function CreateKeyDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLanguage()
  const { user } = useSession()
  const client = useQueryClient()
  const [name, setName] = useState('')
  const [scopes, setScopes] = useState(['gateway:use', 'models:read'].filter((scope) => user.permissions.includes(scope)))
  const [lifetime, setLifetime] = useState<Lifetime>('never')
  const [credits, setCredits] = useState<string | number>('')
  const [bounds, setBounds] = useState(UNBOUND)
  const create = useMutation({
    mutationFn: () => {
      const days = LIFETIMES[lifetime]
      return createKey({
        name: name.trim(),
        scopes,
        expires_at: days === null ? null : new Date(Date.now() + days * DAY_MS).toISOString(),
        credits: credits === '' ? null : String(credits),
        ...wishOf(bounds),
      })
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ['keys'] }),
  })
  const problem = create.error instanceof Problem ? create.error : null
  const usual = USUAL.filter((scope) => user.permissions.includes(scope))
  const others = user.permissions.filter((scope) => !USUAL.includes(scope))

  if (create.data) return <ShownOnce secret={create.data.key} onClose={onClose} />
  return (
    <FormDialog
      title={t.keys.create}
      action={t.keys.create}
      size={520}
      busy={create.isPending}
      ready={name.trim() !== '' && scopes.length > 0}
      error={create.error}
      onSubmit={() => create.mutate()}
      onClose={onClose}
    >
      <TextInput
        label={t.keys.name}
        placeholder={t.keys.namePlaceholder}
        data-autofocus
        maxLength={100}
        value={name}
        error={problem?.fieldError('name')}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <Checkbox.Group label={t.keys.scopes} value={scopes} onChange={setScopes}>
        <Stack gap={8} mt={4}>
          {usual.map((scope) => (
            <Checkbox key={scope} value={scope} label={t.keys.scopeWords[scope] ?? scope} />
          ))}
        </Stack>
      </Checkbox.Group>
      {others.length > 0 && (
        <MultiSelect
          label={t.keys.otherScopes}
          placeholder={t.common.none}
          searchable
          clearable
          data={others}
          value={scopes.filter((scope) => others.includes(scope))}
          onChange={(chosen) => setScopes([...scopes.filter((scope) => USUAL.includes(scope)), ...chosen])}
        />
      )}
      <Select
        label={t.keys.expires}
        allowDeselect={false}
        data={(Object.keys(LIFETIMES) as Lifetime[]).map((value) => ({ value, label: t.keys.expiry[value] }))}
        value={lifetime}
        onChange={(value) => setLifetime((value ?? 'never'))}
      />
      <NumberInput
        label={t.keys.limit}
        description={t.keys.limitHint}
        min={0}
        decimalScale={6}
        value={credits}
        error={problem?.fieldError('credits')}
        onChange={setCredits}
      />
      <BoundsFields open={false} value={bounds} problem={problem} onChange={setBounds} />
    </FormDialog>
  )
}
