import { Button, Stack, Text } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { IconFingerprint } from '@tabler/icons-react'
import { useRef } from 'react'
import { enterWithPasskey, passkeyObstacle, pickPasskey, wasCancelled, type PasskeyAnswer } from '@/api/security'
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
  const underWay = useRef(false)
  const entering = useMutation({
    mutationFn: async (picked: PasskeyAnswer | null) => enterWithPasskey(picked ?? (await pickPasskey())),
    onSuccess: onEntered,
    onError: () => (underWay.current = false),
  })
  // A click and a pick in the list may come before either is drawn: the first is the one.
  const enter = (picked: PasskeyAnswer | null) => {
    if (underWay.current) return
    underWay.current = true
    entering.mutate(picked)
  }
  useListedPasskeys(!busy && !entering.isPending && !entering.isSuccess, enter)
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
        onClick={() => enter(null)}
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
