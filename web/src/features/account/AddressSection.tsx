import { Button, Group, Stack, Text, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { Problem } from '@/api/client'
import { sendVerification } from '@/api/mail'
import { useLanguage } from '@/i18n'
import { FormDialog } from '@/ui/FormDialog'
import { Section } from '@/ui/Page'
import { useSession } from '@/ui/session'
import { Status } from '@/ui/Status'
import { useToasts } from '@/ui/toasts'

/** One's e-mail address: whether it is proven, and another one. */
export function AddressSection({ width }: { width: number }) {
  const { t } = useLanguage()
  const { user } = useSession()
  const toasts = useToasts()
  const [changing, setChanging] = useState(false)
  const send = useMutation({
    mutationFn: () => sendVerification({}),
    onSuccess: ({ email }) => toasts.say(t.address.sent(email)),
    onError: toasts.fail,
  })
  return (
    <Section title={t.address.title}>
      <Stack gap="sm" maw={width}>
        <Group justify="space-between">
          <Text>{user.email}</Text>
          <Status tone={user.email_verified ? 'ok' : 'watch'}>
            {user.email_verified ? t.address.confirmed : t.address.unconfirmed}
          </Status>
        </Group>
        {!user.email_verified && (
          <Text size="sm" c="dimmed">
            {t.address.unconfirmedText}
          </Text>
        )}
        <Group gap="xs">
          {!user.email_verified && (
            <Button variant="default" loading={send.isPending} onClick={() => send.mutate()}>
              {t.address.send}
            </Button>
          )}
          <Button variant="default" onClick={() => setChanging(true)}>
            {t.address.change}
          </Button>
        </Group>
      </Stack>
      {changing && <ChangeDialog onClose={() => setChanging(false)} />}
    </Section>
  )
}

function ChangeDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLanguage()
  const toasts = useToasts()
  const [email, setEmail] = useState('')
  const change = useMutation({
    mutationFn: () => sendVerification({ email: email.trim() }),
    onSuccess: (asked) => {
      toasts.say(t.address.sent(asked.email))
      onClose()
    },
  })
  const problem = change.error instanceof Problem ? change.error : null
  return (
    <FormDialog
      title={t.address.change}
      action={t.address.send}
      busy={change.isPending}
      ready={email.trim() !== ''}
      error={change.error}
      onSubmit={() => change.mutate()}
      onClose={onClose}
    >
      <Text size="sm" c="dimmed">
        {t.address.changeText}
      </Text>
      <TextInput
        label={t.address.new}
        type="email"
        data-autofocus
        autoComplete="email"
        value={email}
        error={problem?.fieldError('email')}
        onChange={(event) => setEmail(event.currentTarget.value)}
      />
    </FormDialog>
  )
}
