import { Button, Stack, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from 'react-router'
import { signOut } from '@/api/identity'
import { keepAccount } from '@/api/privacy'
import { leaveSession, sessionQuery } from '@/api/session'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { useToasts } from '@/ui/toasts'
import { deletionQuery } from './queries'

/** In the place of every page, while the account is about to be erased. */
export function LeavingGate({ at }: { at: string }) {
  const { t, format } = useLanguage()
  const client = useQueryClient()
  const toasts = useToasts()
  const navigate = useNavigate()
  const deletion = useQuery(deletionQuery)
  const keeping = useMutation({
    mutationFn: keepAccount,
    onSuccess: async () => {
      toasts.say(t.privacy.keptToast)
      await client.resetQueries()
    },
  })
  const leaving = useMutation({
    mutationFn: signOut,
    onSuccess: async () => {
      leaveSession(client)
      await navigate('/sign-in', { replace: true })
    },
    onSettled: () => client.invalidateQueries({ queryKey: sessionQuery.queryKey }),
  })
  const erasing = deletion.data?.stage === 'erasing'
  return (
    <EntryPage title={t.privacy.leavingTitle} lead={erasing ? t.privacy.erasingText : t.privacy.leavingText(format.dateTime(at))}>
      <Stack gap="md">
        {deletion.data != null && deletion.data.way !== 'self' && deletion.data.reason !== '' && (
          <Text size="sm">{t.privacy.leavingBy(deletion.data.reason)}</Text>
        )}
        {keeping.isError && <ErrorPanel error={keeping.error} compact />}
        {leaving.isError && <ErrorPanel error={leaving.error} compact />}
        {!erasing && (
          <Button size="md" fullWidth loading={keeping.isPending} onClick={() => keeping.mutate()}>
            {t.privacy.keep}
          </Button>
        )}
        <Button variant="default" fullWidth loading={leaving.isPending} onClick={() => leaving.mutate()}>
          {t.nav.signOut}
        </Button>
      </Stack>
    </EntryPage>
  )
}
