import { Button, Stack, Text } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { IconFingerprint } from '@tabler/icons-react'
import { passkeyObstacle, signInWithPasskey, wasCancelled } from '@/api/security'
import type { Session } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { PasskeyObstacle } from '@/ui/PasskeyObstacle'

/** The first choice: no address and no password to type. */
export function PasskeySignIn({ onEntered }: { onEntered: (session: Session) => Promise<void> }) {
  const { t } = useLanguage()
  const entering = useMutation({ mutationFn: signInWithPasskey, onSuccess: onEntered })
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
