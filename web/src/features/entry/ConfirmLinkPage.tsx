import { Button, Skeleton, Stack } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate } from 'react-router'
import { linkWaiting, waitingQuery } from '@/api/federation'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { useSession } from '@/ui/session'
import { useToasts } from '@/ui/toasts'
import { NothingWaits } from './NothingWaits'

/** Both sides are shown: the account at the provider, and this one. It takes a press to join them. */
export function ConfirmLinkPage() {
  const { t } = useLanguage()
  const { user } = useSession()
  const navigate = useNavigate()
  const toasts = useToasts()
  const waits = useQuery({ ...waitingQuery, refetchOnWindowFocus: false })
  const linking = useMutation({
    mutationFn: linkWaiting,
    onSuccess: ({ next }) => {
      toasts.say(t.federation.linked(waits.data?.provider ?? ''))
      return navigate(next, { replace: true })
    },
  })
  if (waits.data === undefined && waits.isError) return <NothingWaits />
  if (waits.data === undefined) {
    return (
      <EntryPage title={t.federation.links}>
        <Skeleton height={96} />
      </EntryPage>
    )
  }
  const { provider, email } = waits.data
  return (
    <EntryPage
      title={t.federation.confirmTitle(provider)}
      lead={t.federation.confirmText(provider, email ?? '', user.email)}
    >
      <Stack gap="sm">
        {linking.isError && <ErrorPanel error={linking.error} compact />}
        <Button size="md" fullWidth loading={linking.isPending || linking.isSuccess} onClick={() => linking.mutate()}>
          {t.federation.confirm}
        </Button>
        <Button size="md" fullWidth variant="default" onClick={() => void navigate('/chat', { replace: true })}>
          {t.federation.notNow}
        </Button>
      </Stack>
    </EntryPage>
  )
}
