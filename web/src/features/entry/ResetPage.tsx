import { Button, Stack } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useLocation } from 'react-router'
import { completeReset } from '@/api/mail'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { NewPassword } from '@/ui/NewPassword'
import { LinkMissing } from './LinkMissing'
import { linkToken } from './linkToken'

/** Choose a new password with the link of a letter. */
export function ResetPage() {
  const { t } = useLanguage()
  const [token] = useState(linkToken(useLocation()))
  const [password, setPassword] = useState('')
  const resetting = useMutation({ mutationFn: () => completeReset({ token, new_password: password }) })
  if (token === '') return <LinkMissing />
  if (resetting.isSuccess) {
    return (
      <EntryPage title={t.reset.doneTitle} lead={t.reset.doneText}>
        <Button component={Link} to="/sign-in" size="md" fullWidth>
          {t.signIn.submit}
        </Button>
      </EntryPage>
    )
  }
  return (
    <EntryPage title={t.reset.title} lead={t.reset.lead}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          resetting.mutate()
        }}
      >
        <Stack gap="md">
          <NewPassword
            label={t.reset.password}
            value={password}
            onChange={setPassword}
            error={resetting.error}
            field="new_password"
            autoFocus
          />
          {resetting.isError && <ErrorPanel error={resetting.error} compact />}
          <Button type="submit" size="md" fullWidth loading={resetting.isPending}>
            {t.reset.submit}
          </Button>
          {resetting.isError && (
            <Button component={Link} to="/forgot" variant="default" size="md" fullWidth>
              {t.forgot.submit}
            </Button>
          )}
        </Stack>
      </form>
    </EntryPage>
  )
}
