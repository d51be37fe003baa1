import { Button, Group, PasswordInput, Skeleton, Stack, Text, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { IconFingerprint } from '@tabler/icons-react'
import { useState } from 'react'
import { linksQuery } from '@/api/federation'
import { passkeyObstacle, proveWithCode, proveWithPasskey, proveWithPassword, wasCancelled } from '@/api/security'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { ProviderProof } from './ProviderProof'
import { secondFactorQuery } from './queries'

/** A fresh proof: by passkey, code or password, whatever the person has. */
export function ProofForm({ password: asks, onProven }: { password: boolean; onProven: () => void }) {
  const { t } = useLanguage()
  const has = useQuery(secondFactorQuery)
  const [chosen, setChosen] = useState<'password' | 'code' | null>(null)
  const [typed, setTyped] = useState('')
  const proving = useMutation({ mutationFn: (prove: () => Promise<void>) => prove(), onSuccess: onProven })
  const links = useQuery(linksQuery)
  if (has.isPending || links.isPending) return <Skeleton height={96} />
  // Whoever came through a provider may have none.
  const password = asks && links.data?.password !== false

  const codes = has.data !== undefined && has.data.totp_since !== null
  const passkeys = has.data !== undefined && has.data.passkeys > 0 && passkeyObstacle() === null
  const way = chosen ?? (password ? 'password' : codes ? 'code' : null)
  const choose = (next: 'password' | 'code') => {
    setChosen(next)
    setTyped('')
    proving.reset()
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        proving.mutate(() => (way === 'code' ? proveWithCode(typed.trim()) : proveWithPassword(typed)))
      }}
    >
      <Stack gap="md">
        {passkeys && (
          <Button
            variant="default"
            leftSection={<IconFingerprint size={18} />}
            onClick={() => proving.mutate(proveWithPasskey)}
          >
            {t.proof.withPasskey}
          </Button>
        )}
        {asks && <ProviderProof onProven={onProven} />}
        {way === 'password' && (
          <PasswordInput
            label={t.proof.password}
            autoComplete="current-password"
            data-autofocus
            required
            withAsterisk={false}
            visibilityToggleButtonProps={{ 'aria-label': t.common.showPassword, tabIndex: 0 }}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
        )}
        {way === 'code' && (
          <TextInput
            label={t.proof.code}
            autoComplete="one-time-code"
            autoCapitalize="none"
            spellCheck={false}
            data-autofocus
            required
            withAsterisk={false}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
        )}
        {has.isError && <ErrorPanel error={has.error} compact />}
        {proving.isError &&
          (wasCancelled(proving.error) ? (
            <Text size="sm" c="dimmed" role="alert">
              {t.security.passkeyCancelled}
            </Text>
          ) : (
            <ErrorPanel error={proving.error} compact />
          ))}
        {way !== null && (
          <Group justify="space-between" gap="xs">
            {way === 'password' && codes ? (
              <Button variant="subtle" onClick={() => choose('code')}>
                {t.proof.withCode}
              </Button>
            ) : way === 'code' && password ? (
              <Button variant="subtle" onClick={() => choose('password')}>
                {t.proof.withPassword}
              </Button>
            ) : (
              <span />
            )}
            <Button type="submit" disabled={typed.trim() === ''} loading={proving.isPending}>
              {t.proof.submit}
            </Button>
          </Group>
        )}
      </Stack>
    </form>
  )
}
