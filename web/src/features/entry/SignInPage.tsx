import { Anchor, Button, Divider, PasswordInput, Stack, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { Problem } from '@/api/client'
import { signIn } from '@/api/identity'
import { enterSession } from '@/api/session'
import type { Session } from '@/api/types'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { PasskeySignIn } from './PasskeySignIn'
import { ProviderButtons } from './ProviderButtons'

/** Only a path of this site: a link must not be able to send someone elsewhere after sign-in. */
function safeNext(next: string | null): string {
  return next !== null && /^\/(?![/\\])/.test(next) ? next : '/chat'
}

export function SignInPage() {
  const { t } = useLanguage()
  const [search] = useSearchParams()
  const next = search.get('next')
  const navigate = useNavigate()
  const client = useQueryClient()
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [code, setCode] = useState<string | null>(null)
  const enter = async (session: Session) => {
    enterSession(client, session)
    await navigate(safeNext(next), { replace: true })
  }
  const entering = useMutation({
    mutationFn: () => signIn({ email: email.trim(), password, ...(code === null ? {} : { code: code.trim() }) }),
    onSuccess: enter,
    onError: (error) => {
      if (error instanceof Problem && error.code === 'auth.code_needed') {
        setCode('')
        entering.reset()
      }
    },
  })

  if (code !== null) {
    return (
      <EntryPage title={t.entry.codeTitle} lead={t.entry.codeLead}>
        <form
          onSubmit={(event) => {
            event.preventDefault()
            entering.mutate()
          }}
        >
          <Stack gap="md">
            <TextInput
              label={t.entry.code}
              description={t.entry.codeHint}
              name="code"
              autoComplete="one-time-code"
              autoCapitalize="none"
              spellCheck={false}
              required
              autoFocus
              withAsterisk={false}
              value={code}
              onChange={(event) => setCode(event.currentTarget.value)}
            />
            {entering.isError && <ErrorPanel error={entering.error} compact />}
            <Button type="submit" size="md" fullWidth loading={entering.isPending}>
              {t.signIn.submit}
            </Button>
            <Button
              variant="default"
              size="md"
              fullWidth
              onClick={() => {
                setCode(null)
                entering.reset()
              }}
            >
              {t.entry.back}
            </Button>
          </Stack>
        </form>
      </EntryPage>
    )
  }
  return (
    <EntryPage title={t.signIn.title} {...(next === null ? {} : { lead: next === '/link-sign-in' ? t.federation.linkLead : t.signIn.ended })}>
      <PasskeySignIn busy={entering.isPending || entering.isSuccess} onEntered={enter} />
      <ProviderButtons next={next ?? '/'} problem={search.get('problem')} />
      <Divider label={t.entry.or} my="md" />
      <form
        onSubmit={(event) => {
          event.preventDefault()
          entering.mutate()
        }}
      >
        <Stack gap="md">
          <TextInput
            label={t.signIn.email}
            type="email"
            name="email"
            autoComplete="username webauthn"
            required
            autoFocus
            withAsterisk={false}
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
          />
          <PasswordInput
            label={t.signIn.password}
            name="password"
            autoComplete="current-password"
            required
            withAsterisk={false}
            visibilityToggleButtonProps={{ 'aria-label': t.common.showPassword, tabIndex: 0 }}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          {entering.isError && <ErrorPanel error={entering.error} compact />}
          <Button type="submit" size="md" fullWidth loading={entering.isPending}>
            {t.signIn.submit}
          </Button>
          <Anchor component={Link} to="/forgot" size="sm">
            {t.forgot.link}
          </Anchor>
        </Stack>
      </form>
    </EntryPage>
  )
}
