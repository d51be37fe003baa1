import { Button, Stack } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useLocation } from 'react-router'
import { verifyEmail } from '@/api/mail'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { LinkMissing } from './LinkMissing'
import { linkToken } from './linkToken'

/** Prove an address. It takes a press, because mail programs open links by themselves. */
export function VerifyPage() {
  const { t } = useLanguage()
  const client = useQueryClient()
  const [token] = useState(linkToken(useLocation()))
  const verifying = useMutation({
    mutationFn: () => verifyEmail(token),
    onSuccess: () => client.invalidateQueries({ queryKey: ['session'] }),
  })
  if (token === '') return <LinkMissing />
  if (verifying.isSuccess) {
    return (
      <EntryPage title={t.verify.doneTitle} lead={t.verify.doneText(verifying.data.email)}>
        <Button component={Link} to="/chat" size="md" fullWidth>
          {t.verify.go}
        </Button>
      </EntryPage>
    )
  }
  return (
    <EntryPage title={t.verify.title} lead={t.verify.lead}>
      <Stack gap="md">
        {verifying.isError && <ErrorPanel error={verifying.error} compact />}
        <Button size="md" fullWidth loading={verifying.isPending} onClick={() => verifying.mutate()}>
          {t.verify.submit}
        </Button>
      </Stack>
    </EntryPage>
  )
}
