import { Button, Stack, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { Link } from 'react-router'
import { Problem } from '@/api/client'
import { askForReset } from '@/api/mail'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'
import { ErrorPanel } from '@/ui/ErrorPanel'

/** Ask for a letter with a link to choose a new password. */
export function ForgotPage() {
  const { t } = useLanguage()
  const [email, setEmail] = useState('')
  const asking = useMutation({ mutationFn: () => askForReset(email.trim()) })
  const back = (
    <Button component={Link} to="/sign-in" variant="default" size="md" fullWidth>
      {t.forgot.back}
    </Button>
  )
  if (asking.isSuccess) {
    return (
      <EntryPage title={t.forgot.sentTitle} lead={t.forgot.sentText}>
        {back}
      </EntryPage>
    )
  }
  return (
    <EntryPage title={t.forgot.title} lead={t.forgot.lead}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          asking.mutate()
        }}
      >
        <Stack gap="md">
          <TextInput
            label={t.forgot.email}
            type="email"
            name="email"
            autoComplete="username"
            required
            withAsterisk={false}
            autoFocus
            value={email}
            error={asking.error instanceof Problem ? asking.error.fieldError('email') : null}
            onChange={(event) => setEmail(event.currentTarget.value)}
          />
          {asking.isError && <ErrorPanel error={asking.error} compact />}
          <Button type="submit" size="md" fullWidth loading={asking.isPending}>
            {t.forgot.submit}
          </Button>
          {back}
        </Stack>
      </form>
    </EntryPage>
  )
}
