import { Button, Divider, Stack } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { signOut } from '@/api/identity'
import { passkeyObstacle } from '@/api/security'
import { leaveSession, sessionQuery } from '@/api/session'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { PasskeyObstacle } from '@/ui/PasskeyObstacle'
import { AddPasskey } from './AddPasskey'
import { EnrolApp } from './EnrolApp'
import { ProofForm } from './ProofForm'

/** In the place of every page, until somebody whose role needs a second factor has added or shown one. */
export function SecondFactorGate({ needed }: { needed: 'enrol' | 'prove' }) {
  const { t } = useLanguage()
  const client = useQueryClient()
  const navigate = useNavigate()
  const done = () => void client.resetQueries({ queryKey: sessionQuery.queryKey })
  const leaving = useMutation({
    mutationFn: signOut,
    onSuccess: async () => {
      leaveSession(client)
      await navigate('/sign-in', { replace: true })
    },
  })
  const enrol = needed === 'enrol'
  return (
    <EntryPage
      title={enrol ? t.entry.enrolTitle : t.entry.proveTitle}
      lead={enrol ? t.entry.enrolLead : t.entry.proveLead}
    >
      <Stack gap="md">
        {enrol ? <Enrol onDone={done} /> : <ProofForm password={false} onProven={done} />}
        <Divider />
        {leaving.isError && <ErrorPanel error={leaving.error} compact />}
        <Button variant="default" fullWidth loading={leaving.isPending} onClick={() => leaving.mutate()}>
          {t.nav.signOut}
        </Button>
      </Stack>
    </EntryPage>
  )
}

function Enrol({ onDone }: { onDone: () => void }) {
  const { t } = useLanguage()
  const [app, setApp] = useState(false)
  const obstacle = passkeyObstacle()
  if (app) return <EnrolApp onDone={onDone} />
  return (
    <>
      {obstacle === null ? <AddPasskey onAdded={onDone} /> : <PasskeyObstacle obstacle={obstacle} path="/" />}
      <Button variant="default" onClick={() => setApp(true)}>
        {t.security.setUpApp}
      </Button>
    </>
  )
}
