import { Button, Skeleton, Stack, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useLocation, useNavigate } from 'react-router'
import { Problem } from '@/api/client'
import { signIn } from '@/api/identity'
import { acceptInvitation, readInvitation } from '@/api/mail'
import { enterSession } from '@/api/session'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { NewPassword } from '@/ui/NewPassword'
import { LinkMissing } from './LinkMissing'
import { linkToken } from './linkToken'

/** An invited person chooses a name and a password. */
export function InvitePage() {
  const { t } = useLanguage()
  const [token] = useState(linkToken(useLocation()))
  const invitation = useQuery({
    queryKey: ['invitation', token],
    queryFn: ({ signal }) => readInvitation(token, signal),
    enabled: token !== '',
    staleTime: Infinity,
    retry: false,
  })
  if (token === '') return <LinkMissing />
  if (invitation.isError) {
    return (
      <EntryPage title={t.invite.title}>
        <ErrorPanel error={invitation.error} />
      </EntryPage>
    )
  }
  if (invitation.isPending) {
    return (
      <EntryPage title={t.invite.title}>
        <Stack gap="lg" aria-label={t.common.loading}>
          <Skeleton height={56} />
          <Skeleton height={56} />
        </Stack>
      </EntryPage>
    )
  }
  const { email, name } = invitation.data
  return (
    <EntryPage title={t.invite.title} lead={t.invite.lead(email)}>
      <AcceptForm token={token} email={email} suggested={name} />
    </EntryPage>
  )
}

function AcceptForm({ token, email, suggested }: { token: string; email: string; suggested: string }) {
  const { t, locale } = useLanguage()
  const navigate = useNavigate()
  const client = useQueryClient()
  const [name, setName] = useState(suggested)
  const [password, setPassword] = useState('')
  const accepting = useMutation({
    mutationFn: () => acceptInvitation({ token, name: name.trim(), password, locale }),
    onSuccess: async () => {
      try {
        enterSession(client, await signIn({ email, password }))
        await navigate('/chat', { replace: true })
      } catch {
        // The account is there; what signing in asks for beyond a password is asked on its own page.
        await navigate('/sign-in', { replace: true })
      }
    },
  })
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        accepting.mutate()
      }}
    >
      <Stack gap="md">
        <input type="hidden" autoComplete="username" value={email} readOnly />
        <TextInput
          label={t.invite.name}
          name="name"
          autoComplete="name"
          required
          withAsterisk={false}
          autoFocus
          value={name}
          error={accepting.error instanceof Problem ? accepting.error.fieldError('name') : null}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <NewPassword
          label={t.invite.password}
          value={password}
          onChange={setPassword}
          email={email}
          name={name}
          error={accepting.error}
        />
        {accepting.isError && <ErrorPanel error={accepting.error} compact />}
        <Button type="submit" size="md" fullWidth loading={accepting.isPending}>
          {t.invite.submit}
        </Button>
      </Stack>
    </form>
  )
}
