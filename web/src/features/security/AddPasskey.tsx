import { Button, Stack, Text, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { IconFingerprint } from '@tabler/icons-react'
import { useState } from 'react'
import { addPasskey, wasCancelled } from '@/api/security'
import type { Passkey } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'

/** A name, and then the browser's own dialog. */
export function AddPasskey({ onAdded }: { onAdded: (passkey: Passkey) => void }) {
  const { t } = useLanguage()
  const [name, setName] = useState(t.security.passkey)
  const adding = useMutation({ mutationFn: () => addPasskey(name.trim()), onSuccess: onAdded })
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        adding.mutate()
      }}
    >
      <Stack gap="md">
        <TextInput
          label={t.security.passkeyName}
          description={t.security.passkeyNameHint}
          maxLength={100}
          required
          data-autofocus
          withAsterisk={false}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        {adding.isError &&
          (wasCancelled(adding.error) ? (
            <Text size="sm" c="dimmed" role="alert">
              {t.security.passkeyCancelled}
            </Text>
          ) : (
            <ErrorPanel error={adding.error} compact />
          ))}
        <Button
          type="submit"
          leftSection={<IconFingerprint size={18} />}
          disabled={name.trim() === ''}
          loading={adding.isPending}
        >
          {t.security.addPasskey}
        </Button>
      </Stack>
    </form>
  )
}
