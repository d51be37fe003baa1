import { Button, Stack, Text } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { requestDeletion } from '@/api/privacy'
import { sessionQuery } from '@/api/session'
import { useLanguage } from '@/i18n'
import { ConfirmByTyping } from '@/ui/ConfirmByTyping'
import { Section } from '@/ui/Page'
import { useSession } from '@/ui/session'

/** The end of one's own account. The session then says so, and its page takes the place of all others. */
export function DeletionSection() {
  const { t } = useLanguage()
  const { user } = useSession()
  const client = useQueryClient()
  const [asking, setAsking] = useState(false)
  const deleting = useMutation({
    mutationFn: () => requestDeletion(user.email),
    onSuccess: () => client.resetQueries({ queryKey: sessionQuery.queryKey }),
  })
  return (
    <Section title={t.privacy.delete}>
      <Stack gap="sm" maw={640} align="flex-start">
        <Text size="sm" c="dimmed">
          {t.privacy.deleteText} {t.privacy.exportFirst}
        </Text>
        <Button color="red" variant="outline" onClick={() => setAsking(true)}>
          {t.privacy.delete}
        </Button>
      </Stack>
      {asking && (
        <ConfirmByTyping
          title={t.privacy.confirmTitle}
          text={t.privacy.confirmText}
          word={user.email}
          ask={t.privacy.confirmAsk(user.email)}
          action={t.privacy.delete}
          busy={deleting.isPending}
          error={deleting.error}
          onConfirm={() => deleting.mutate()}
          onClose={() => {
            deleting.reset()
            setAsking(false)
          }}
        />
      )}
    </Section>
  )
}
