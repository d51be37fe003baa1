import { Button, Stack, Text } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { IconFingerprint } from '@tabler/icons-react'
import { useState } from 'react'
import type { Problem } from '@/api/client'
import { passkeyObstacle, signInWithPasskey, wasCancelled } from '@/api/security'
import type { Session } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { PasskeyObstacle } from '@/ui/PasskeyObstacle'
import { useListedPasskeys } from './useListedPasskeys'

interface Props {
  /** Whether somebody is on their way in by another way. */
  busy: boolean
  onEntered: (session: Session) => Promise<void>
}

/** The first choice: no address and no password to type. */
export function PasskeySignIn({ busy, onEntered }: Props) {
  const { t } = useLanguage()
  const [refused, setRefused] = useState<Problem | null>(null)
  const entering = useMutation({
    mutationFn: () => signInWithPasskey(),
    onMutate: () => setRefused(null),
    onSuccess: onEntered,
  })
  useListedPasskeys(!busy && !entering.isPending && !entering.isSuccess, { onEntered, onRefused: setRefused })
  const obstacle = passkeyObstacle()
  if (obstacle !== null) return <PasskeyObstacle obstacle={obstacle} path="/sign-in" />
  return (
    <Stack gap="sm">
      <Button
        variant="default"
        size="md"
        fullWidth
        leftSection={<IconFingerprint size={18} />}
        loading={entering.isPending}
        onClick={() => entering.mutate()}
      >
        {t.entry.passkey}
      </Button>
      {refused !== null && <ErrorPanel error={refused} compact />}
      {entering.isError &&
        (wasCancelled(entering.error) ? (
          <Text size="sm" c="dimmed" role="alert">
            {t.security.passkeyCancelled}
          </Text>
        ) : (
          <ErrorPanel error={entering.error} compact />
        ))}
    </Stack>
  )
}
