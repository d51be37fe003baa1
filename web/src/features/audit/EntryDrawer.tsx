import { Drawer, Skeleton, Stack, Text, Title, UnstyledButton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { readEntry, type AuditEntry, type AuditFilter } from '@/api/audit'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import classes from './audit.module.css'
import { Changes } from './Changes'
import { browserInWords, inWords } from './values'

interface EntryDrawerProps {
  id: string
  onClose: () => void
  onFilter: (filter: AuditFilter) => void
}

/** Everything that one entry says. */
export function EntryDrawer({ id, onClose, onFilter }: EntryDrawerProps) {
  const { t } = useLanguage()
  const entry = useQuery({ queryKey: ['audit', 'entry', id], queryFn: ({ signal }) => readEntry(id, signal) })
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="md"
      title={entry.data === undefined ? t.audit.details : `${t.audit.number} ${entry.data.seq}`}
      closeButtonProps={{ 'aria-label': t.common.close }}
    >
      {entry.isError ? (
        <ErrorPanel error={entry.error} onRetry={() => void entry.refetch()} compact />
      ) : entry.data === undefined ? (
        <Skeleton height={220} />
      ) : (
        <Body entry={entry.data} onFilter={onFilter} />
      )}
    </Drawer>
  )
}

function Body({ entry, onFilter }: { entry: AuditEntry; onFilter: (filter: AuditFilter) => void }) {
  const { t, format } = useLanguage()
  const who = entry.actor ?? t.audit.erased
  const narrowing = (shown: string, filter: AuditFilter): ReactNode => (
    <UnstyledButton className={classes.breakable} fz="inherit" c="var(--mantine-color-anchor)" onClick={() => onFilter(filter)}>
      {shown}
    </UnstyledButton>
  )
  const facts: [string, ReactNode][] = [
    [t.audit.action, narrowing(entry.action, { action: entry.action })],
    [t.audit.at, format.dateTime(entry.at)],
    [t.audit.actor, entry.actor_id === null ? t.audit.system : narrowing(who, { actor: entry.actor_id })],
    [
      t.audit.target,
      narrowing(`${entry.target_kind} ${entry.target_id}`, {
        target_kind: entry.target_kind,
        target_id: entry.target_id,
      }),
    ],
    [t.audit.address, entry.ip === null ? null : narrowing(entry.ip, { ip: entry.ip })],
    [
      t.audit.browser,
      entry.user_agent === null ? null : <span title={entry.user_agent}>{browserInWords(entry.user_agent)}</span>,
    ],
    [t.audit.session, mono(entry.session_id)],
    [t.audit.key, mono(entry.key_id)],
    [t.audit.request, mono(entry.request_id)],
  ]
  const details = Object.entries(entry.details ?? {})
  const erased = entry.details === null || (entry.actor === null && entry.actor_id !== null)
  return (
    <Stack gap="lg">
      <Facts facts={facts} />
      {entry.changes !== null && Object.keys(entry.changes).length > 0 && (
        <Stack gap="xs">
          <Title order={3} size="sm">
            {t.audit.changes}
          </Title>
          <Changes changes={entry.changes} />
        </Stack>
      )}
      {details.length > 0 && (
        <Stack gap="xs">
          <Title order={3} size="sm">
            {t.audit.details}
          </Title>
          <Facts facts={details.map(([name, value]) => [name, inWords(value, t)])} />
        </Stack>
      )}
      {erased && (
        <Text size="sm" c="dimmed">
          {t.audit.erasedText}
        </Text>
      )}
    </Stack>
  )
}

function mono(text: string | null): ReactNode {
  return text === null ? null : <span className={classes.mono}>{text}</span>
}

function Facts({ facts }: { facts: [string, ReactNode][] }) {
  return (
    <dl className={classes.facts}>
      {facts
        .filter(([, value]) => value !== null)
        .map(([name, value]) => (
          <Fact key={name} name={name} value={value} />
        ))}
    </dl>
  )
}

function Fact({ name, value }: { name: string; value: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  )
}
