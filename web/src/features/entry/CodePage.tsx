import { Button, Stack, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { goOnWithCode, waitingQuery } from '@/api/federation'
import { enterSession } from '@/api/session'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { NothingWaits } from './NothingWaits'

/** The provider asked for a password only, and the account here has an authenticator app. */
export function CodePage() {
  const { t } = useLanguage()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [code, setCode] = useState('')
  const waits = useQuery({ ...waitingQuery, refetchOnWindowFocus: false })
  const entering = useMutation({
    mutationFn: () => goOnWithCode(code.trim()),
    onSuccess: async ({ next, session }) => {
      enterSession(client, session)
      await navigate(next, { replace: true })
    },
  })
  if (waits.data === undefined && waits.isError) return <NothingWaits />
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
          <Button type="submit" size="md" fullWidth loading={entering.isPending || entering.isSuccess}>
            {t.signIn.submit}
          </Button>
        </Stack>
      </form>
    </EntryPage>
  )
}
