import { Text, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { useInfiniteQuery } from '@tanstack/react-query'
import { IconHistory } from '@tabler/icons-react'
import { useState } from 'react'
import { useSearchParams } from 'react-router'
import { listAudit } from '@/api/identity'
import { pagesQuery } from '@/api/pages'
import type { AuditEntry } from '@/api/types'
import { useLanguage } from '@/i18n'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Page } from '@/ui/Page'
import classes from './administration.module.css'

export function AuditPage() {
  const { t, format } = useLanguage()
  const [params, setParams] = useSearchParams()
  const filter = { action: params.get('action') ?? '', actor: params.get('actor') ?? '' }
  const [typed, setTyped] = useState(filter)
  const list = useInfiniteQuery(
    pagesQuery(['audit', filter.action, filter.actor], (cursor, signal) => listAudit(filter, cursor, signal)),
  )
  const apply = useDebouncedCallback((next: typeof filter) => {
    setParams(
      Object.fromEntries(Object.entries(next).filter(([, value]) => value.trim() !== '')),
      { replace: true },
    )
  }, 300)
  const type = (change: Partial<typeof filter>) => {
    const next = { ...typed, ...change }
    setTyped(next)
    apply(next)
  }

  const columns: Column<AuditEntry>[] = [
    {
      key: 'at',
      header: t.audit.at,
      cell: (entry) => (
        <time dateTime={entry.at} title={format.dateTime(entry.at)}>
          {format.ago(entry.at)}
        </time>
      ),
    },
    {
      key: 'action',
      header: t.audit.action,
      cell: (entry) => (
        <>
          <span className={classes.mono}>{entry.action}</span>
          <Text size="xs" className={classes.breakable} hiddenFrom="sm">
            {entry.actor === '' ? t.audit.system : entry.actor}
          </Text>
          {entry.summary !== '' && (
            <Text size="xs" c="dimmed" className={classes.breakable}>
              {entry.summary}
            </Text>
          )}
        </>
      ),
    },
    {
      key: 'actor',
      header: t.audit.actor,
      wide: true,
      cell: (entry) => <span className={classes.breakable}>{entry.actor === '' ? t.audit.system : entry.actor}</span>,
    },
    {
      key: 'target',
      header: t.audit.target,
      wide: true,
      cell: (entry) => <span className={classes.breakable}>{entry.target === '' ? '–' : entry.target}</span>,
    },
  ]

  return (
    <Page title={t.audit.title} lead={t.audit.lead}>
      <div className={classes.filters}>
        <TextInput
          type="search"
          aria-label={t.audit.filterAction}
          placeholder={t.audit.filterAction}
          value={typed.action}
          onChange={(event) => type({ action: event.currentTarget.value })}
        />
        <TextInput
          type="search"
          aria-label={t.audit.filterActor}
          placeholder={t.audit.filterActor}
          value={typed.actor}
          onChange={(event) => type({ actor: event.currentTarget.value })}
        />
      </div>
      {list.isError && list.data === undefined ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        <DataTable
          label={t.audit.title}
          columns={columns}
          rows={list.data?.pages.flatMap(({ items }) => items)}
          rowKey={({ id }) => id}
          empty={<EmptyState icon={<IconHistory size={20} />} title={t.audit.emptyTitle} text={t.audit.emptyText} />}
          more={{ has: list.hasNextPage, loading: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
        />
      )}
    </Page>
  )
}
