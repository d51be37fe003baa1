import { Button, Code, Drawer, Group, Skeleton, Stack, Text, Title } from '@mantine/core'
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { listKeysOf, revokeKeyOf } from '@/api/keys'
import { pagesQuery } from '@/api/pages'
import { readPerson, type Person } from '@/api/people'
import type { Key } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ConfirmByTyping } from '@/ui/ConfirmByTyping'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { useMay } from '@/ui/session'
import { Status } from '@/ui/Status'
import { useToasts } from '@/ui/toasts'
import classes from './people.module.css'
import { usePeopleWords } from './words'

/** One person: what they may use, what they have used, and their keys. */
export function PersonDrawer({ person: first, onClose }: { person: Person; onClose: () => void }) {
  const { t, format } = useLanguage()
  const w = usePeopleWords()
  const may = useMay()
  const [revoking, setRevoking] = useState<Key | null>(null)
  const read = useQuery({
    queryKey: ['users', 'one', first.id],
    queryFn: ({ signal }) => readPerson(first.id, signal),
    initialData: first,
  })
  const person = read.data
  const facts: [string, string][] = [
    [t.users.email, `${person.email} (${person.email_verified ? w.people.confirmed : w.people.unconfirmed})`],
    [t.users.roles, person.roles.map((role) => t.roles[role] ?? role).join(', ') || t.common.none],
    [w.people.secondFactor, person.second_factor ? w.people.yes : w.people.no],
    [t.users.created, format.date(person.created_at)],
    [t.users.lastSignIn, person.last_sign_in_at === null ? t.common.never : format.dateTime(person.last_sign_in_at)],
    [w.people.sessions, format.number(person.sessions)],
  ]
  if (person.usage !== null) {
    facts.push(
      [w.people.balance, format.credits(person.usage.available)],
      [w.people.usage, w.people.usageOf(format.credits(person.usage.spent), format.number(person.usage.calls))],
    )
  }
  return (
    <Drawer
      opened
      position="right"
      size="md"
      onClose={onClose}
      title={person.name || person.email}
      closeButtonProps={{ 'aria-label': t.common.close }}
    >
      <Stack gap="lg">
        {read.isError && <ErrorPanel error={read.error} compact />}
        <div>
          <Status tone={person.active ? 'ok' : 'off'}>{person.active ? t.users.active : t.users.inactive}</Status>
        </div>
        <dl className={classes.facts}>
          {facts.map(([name, value]) => (
            <div key={name} style={{ display: 'contents' }}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
        <KeysOf person={person} onRevoke={may('users:update') ? setRevoking : null} />
      </Stack>
      {revoking && <RevokeDialog person={person} of={revoking} onClose={() => setRevoking(null)} />}
    </Drawer>
  )
}

function KeysOf({ person, onRevoke }: { person: Person; onRevoke: ((key: Key) => void) | null }) {
  const { t, format } = useLanguage()
  const w = usePeopleWords()
  const keys = useInfiniteQuery(
    pagesQuery(['users', 'one', person.id, 'keys'], (cursor, signal) => listKeysOf(person.id, cursor, signal)),
  )
  const live = keys.data?.pages.flatMap(({ items }) => items).filter(({ revoked_at }) => revoked_at === null)
  return (
    <section aria-label={w.people.keys}>
      <Title order={3} size="h5" mb={6}>
        {w.people.keys}
      </Title>
      {keys.isError && <ErrorPanel error={keys.error} compact onRetry={() => void keys.refetch()} />}
      {keys.isPending && <Skeleton height={40} />}
      {live?.length === 0 && (
        <Text size="sm" c="dimmed">
          {w.people.noKeys}
        </Text>
      )}
      {live?.map((key) => (
        <div key={key.id} className={classes.key}>
          <div>
            <Text size="sm" fw={500}>
              {key.name}
            </Text>
            <Text size="xs" c="dimmed">
              <Code>{key.prefix}…</Code> · {t.keys.lastUsed}:{' '}
              {key.last_used_at === null ? t.common.never : format.ago(key.last_used_at)}
            </Text>
          </div>
          {onRevoke !== null && (
            <Button
              size="compact-sm"
              variant="subtle"
              color="red"
              aria-label={`${t.keys.revoke}: ${key.name}`}
              onClick={() => onRevoke(key)}
            >
              {t.keys.revoke}
            </Button>
          )}
        </div>
      ))}
      {keys.hasNextPage && (
        <Group mt="xs">
          <Button variant="default" size="compact-sm" onClick={() => void keys.fetchNextPage()}>
            {t.common.more}
          </Button>
        </Group>
      )}
    </section>
  )
}

function RevokeDialog({ person, of: key, onClose }: { person: Person; of: Key; onClose: () => void }) {
  const { t } = useLanguage()
  const w = usePeopleWords()
  const client = useQueryClient()
  const toasts = useToasts()
  const revoke = useMutation({
    mutationFn: () => revokeKeyOf(person.id, key.id),
    onSuccess: async () => {
      toasts.say(w.people.revokedKey(key.name))
      onClose()
      await client.invalidateQueries({ queryKey: ['users'] })
    },
  })
  return (
    <ConfirmByTyping
      title={t.keys.revokeTitle(key.name)}
      text={t.keys.revokeText}
      word={key.name}
      ask={t.keys.revokeConfirm(key.name)}
      action={t.keys.revoke}
      busy={revoke.isPending}
      error={revoke.error}
      onConfirm={() => revoke.mutate()}
      onClose={onClose}
    />
  )
}
