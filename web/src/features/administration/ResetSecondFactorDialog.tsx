import { Text } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { resetSecondFactor } from '@/api/security'
import type { User } from '@/api/types'
import { useLanguage } from '@/i18n'
import { FormDialog } from '@/ui/FormDialog'
import { useToasts } from '@/ui/toasts'

/** For somebody who lost what they sign in with. */
export function ResetSecondFactorDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useLanguage()
  const toasts = useToasts()
  const resetting = useMutation({
    mutationFn: () => resetSecondFactor(user.id),
    onSuccess: () => {
      toasts.say(t.security.resetDone(user.name))
      onClose()
    },
  })
  return (
    <FormDialog
      title={t.security.resetTitle(user.name)}
      action={t.security.reset}
      busy={resetting.isPending}
      error={resetting.error}
      onSubmit={() => resetting.mutate()}
      onClose={onClose}
    >
      <Text c="dimmed">{t.security.resetText}</Text>
    </FormDialog>
  )
}
