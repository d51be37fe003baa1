import { Button, SegmentedControl, Text, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { IconShieldExclamation } from '@tabler/icons-react'
import { useState } from 'react'
import { useSearchParams } from 'react-router'
import { countSecurityEvents, listSecurityEvents, type EventFilter, type SecurityEvent, type Severity } from '@/api/audit'
import { pagesQuery } from '@/api/pages'
import { useLanguage } from '@/i18n'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Page, Section } from '@/ui/Page'
import { Status, type Tone } from '@/ui/Status'
import classes from './audit.module.css'

const TONES: Record<Severity, Tone> = { info: 'info', warning: 'watch', critical: 'bad' }
const SEVERITIES: Severity[] = ['critical', 'warning', 'info']
const REFRESH_MS = 10_000

/** What an administrator looks at when something is not right. */
export function SecurityEventsPage() {
  const { t, format } = useLanguage()
  const [params, setParams] = useSearchParams()
  const filter: EventFilter = {
    kind: params.get('kind') ?? '',
    severity: SEVERITIES.find((name) => name === params.get('severity')) ?? '',
    q: params.get('q') ?? '',
  }
  const [typed, setTyped] = useState(filter.q)
  const list = useInfiniteQuery({
    ...pagesQuery(['security-events', filter], (cursor, signal) => listSecurityEvents(filter, cursor, signal)),
    refetchInterval: REFRESH_MS,
  })
  const counts = useQuery({
    queryKey: ['security-events', 'counts'],
    queryFn: ({ signal }) => countSecurityEvents(signal),
    refetchInterval: REFRESH_MS,
  })
  const narrow = (change: Partial<EventFilter>) =>
    setParams(Object.fromEntries(Object.entries({ ...filter, ...change }).filter(([, value]) => value !== '')), {
      replace: true,
    })
  const search = useDebouncedCallback((q: string) => narrow({ q }), 300)
  const named = (kind: string) => t.events.kinds[kind] ?? kind

  const columns: Column<SecurityEvent>[] = [
    {
      key: 'last',
      header: t.events.last,
      cell: (event) => (
        <time dateTime={event.last_at} title={format.dateTime(event.last_at)}>
          {format.ago(event.last_at)}
        </time>
      ),
    },
    {
      key: 'kind',
      header: t.events.kind,
      cell: (event) => (
        <>
          <Status tone={TONES[event.severity]}>{named(event.kind)}</Status>
          <Text size="xs" className={classes.breakable} hiddenFrom="sm">
            {event.subject} · {t.events.times(format.number(event.count))}
          </Text>
          <Text size="xs" c="dimmed" className={classes.breakable}>
            {told(event)}
          </Text>
        </>
      ),
    },
    {
      key: 'subject',
      header: t.events.subject,
      wide: true,
      cell: (event) => <span className={classes.breakable}>{event.subject}</span>,
    },
    { key: 'count', header: t.events.count, numeric: true, wide: true, cell: (event) => format.number(event.count) },
  ]

  return (
    <Page title={t.events.title} lead={t.events.lead}>
      <Section title={t.events.day}>
        <div className={classes.counts}>
          {counts.data?.items.length === 0 && <Text c="dimmed">{t.events.quiet}</Text>}
          {counts.data?.items.map((count) => (
            <Button
              key={`${count.kind} ${count.severity}`}
              size="compact-sm"
              variant={filter.kind === count.kind ? 'light' : 'default'}
              aria-pressed={filter.kind === count.kind}
              onClick={() => narrow({ kind: filter.kind === count.kind ? '' : count.kind })}
            >
              {named(count.kind)} · {format.number(count.count)}
            </Button>
          ))}
        </div>
      </Section>
      <div className={classes.filters}>
        <TextInput
          type="search"
          size="xs"
          className={classes.wideFilter}
          aria-label={t.events.search}
          placeholder={t.events.search}
          maxLength={200}
          value={typed}
          onChange={(event) => {
            setTyped(event.currentTarget.value)
            search(event.currentTarget.value)
          }}
        />
        <SegmentedControl
          size="xs"
          className={classes.wideFilter}
          aria-label={t.events.severity}
          value={filter.severity}
          data={[
            { value: '', label: t.events.all },
            ...SEVERITIES.map((value) => ({ value, label: t.events.severities[value] ?? value })),
          ]}
          onChange={(severity) => narrow({ severity })}
        />
      </div>
      {list.isError && list.data === undefined ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        <DataTable
          label={t.events.title}
          columns={columns}
          rows={list.data?.pages.flatMap(({ items }) => items)}
          rowKey={({ id }) => id}
          empty={
            <EmptyState
              icon={<IconShieldExclamation size={20} />}
              title={t.events.emptyTitle}
              text={t.events.emptyText}
            />
          }
          more={{ has: list.hasNextPage, loading: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
        />
      )}
    </Page>
  )
}

/** What is known of the last time, on one line. */
function told({ facts }: SecurityEvent): string {
  const said = ['method', 'path', 'action', 'detail', 'address'].map((name) => facts[name])
  return said.filter((value) => typeof value === 'string' && value !== '').join(' · ')
}
