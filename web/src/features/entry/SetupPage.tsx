import { Button, Skeleton, Stack, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useLocation, useNavigate } from 'react-router'
import { Problem } from '@/api/client'
import { changeMe, createAdministrator, readSetup } from '@/api/identity'
import { enterSession, updateAccount } from '@/api/session'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { NewPassword } from '@/ui/NewPassword'

function tokenOf(location: { hash: string; search: string }): string {
  const hash = new URLSearchParams(location.hash.slice(1)).get('token')
  return hash ?? new URLSearchParams(location.search).get('token') ?? ''
}

export function SetupPage() {
  const { t } = useLanguage()
  const setup = useQuery({ queryKey: ['setup'], queryFn: ({ signal }) => readSetup(signal), staleTime: 0 })
  const [given] = useState(tokenOf(useLocation()))
  const [byHand, setByHand] = useState(false)

  if (setup.isPending) {
    return (
      <EntryPage title={t.setup.title} lead={t.setup.lead}>
        <Stack gap="lg" aria-label={t.common.loading}>
          <Skeleton height={56} />
          <Skeleton height={56} />
          <Skeleton height={56} />
        </Stack>
      </EntryPage>
    )
  }
  if (setup.isError) {
    return (
      <EntryPage title={t.setup.title}>
        <ErrorPanel error={setup.error} onRetry={() => void setup.refetch()} />
      </EntryPage>
    )
  }
  if (!setup.data.needed) {
    return (
      <EntryPage title={t.setup.doneTitle} lead={t.setup.doneText}>
        <Button component={Link} to="/sign-in" size="md" fullWidth>
          {t.signIn.submit}
        </Button>
      </EntryPage>
    )
  }
  if (given === '' && !byHand) {
    return (
      <EntryPage title={t.setup.neededTitle} lead={t.setup.neededText}>
        <Button variant="default" size="md" fullWidth onClick={() => setByHand(true)}>
          {t.setup.haveCode}
        </Button>
      </EntryPage>
    )
  }
  return (
    <EntryPage title={t.setup.title} lead={t.setup.lead}>
      <AdministratorForm given={given} />
    </EntryPage>
  )
}

function AdministratorForm({ given }: { given: string }) {
  const { t, locale } = useLanguage()
  const navigate = useNavigate()
  const client = useQueryClient()
  const [token, setToken] = useState(given)
  const [name, setName] = useState('')
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const creating = useMutation({
    mutationFn: createAdministrator,
    onSuccess: async (session) => {
      enterSession(client, session)
      // The account starts with the language in which its owner just read this page.
      if (session.user.locale !== locale) updateAccount(client, await changeMe({ locale }))
      await navigate('/chat', { replace: true })
    },
  })
  const problem = creating.error instanceof Problem ? creating.error : null

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        creating.mutate({ token: token.trim(), name: name.trim(), email: email.trim(), password })
      }}
    >
      <Stack gap="md">
        {given === '' && (
          <TextInput
            label={t.setup.token}
            description={t.setup.tokenHint}
            required
            withAsterisk={false}
            autoFocus
            value={token}
            onChange={(event) => setToken(event.currentTarget.value)}
          />
        )}
        <TextInput
          label={t.setup.name}
          name="name"
          autoComplete="name"
          required
          withAsterisk={false}
          autoFocus={given !== ''}
          value={name}
          error={problem?.fieldError('name')}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <TextInput
          label={t.setup.email}
          type="email"
          name="email"
          autoComplete="username"
          required
          withAsterisk={false}
          value={email}
          error={problem?.fieldError('email')}
          onChange={(event) => setEmail(event.currentTarget.value)}
        />
        <NewPassword
          label={t.setup.password}
          value={password}
          onChange={setPassword}
          email={email}
          name={name}
          error={creating.error}
        />
        {creating.isError && <ErrorPanel error={creating.error} compact />}
        <Button type="submit" size="md" fullWidth loading={creating.isPending}>
          {t.setup.submit}
        </Button>
      </Stack>
    </form>
  )
}
