import { Button, Menu, Text, UnstyledButton } from '@mantine/core'
import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { IconDownload, IconHistory } from '@tabler/icons-react'
import { useState } from 'react'
import { useSearchParams } from 'react-router'
import { exportAudit, FILTERS, listAudit, type AuditEntry, type AuditFilter } from '@/api/audit'
import { pagesQuery } from '@/api/pages'
import { useLanguage } from '@/i18n'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Page } from '@/ui/Page'
import { useMay } from '@/ui/session'
import { useToasts } from '@/ui/toasts'
import classes from './audit.module.css'
import { AuditFilters } from './AuditFilters'
import { EntryDrawer } from './EntryDrawer'
import { summary } from './values'
import { Verification } from './Verification'

export function AuditPage() {
  const { t, format } = useLanguage()
  const may = useMay()
  const [params, setParams] = useSearchParams()
  // The fields of the filter start anew when something else than typing changed the filter.
  const [chosen, setChosen] = useState(0)
  const filter: AuditFilter = {}
  for (const name of FILTERS) {
    const value = params.get(name)
    if (value !== null && value !== '') filter[name] = value
  }
  const list = useInfiniteQuery(
    pagesQuery(['audit', 'list', filter], (cursor, signal) => listAudit(filter, cursor, signal)),
  )
  const narrow = (next: AuditFilter) =>
    setParams(
      Object.fromEntries(Object.entries(next).filter(([, value]) => value.trim() !== '')),
      { replace: true },
    )
  const show = (entry: string | null) => {
    const next = new URLSearchParams(params)
    if (entry === null) next.delete('entry')
    else next.set('entry', entry)
    setParams(next, { replace: entry === null })
  }
  const opened = params.get('entry')
  const who = (entry: AuditEntry) =>
    entry.actor_id === null ? t.audit.system : (entry.actor ?? t.audit.erased)

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
          <UnstyledButton className={classes.open} aria-label={t.audit.open(entry.action)} onClick={() => show(entry.id)}>
            <span className={classes.mono}>{entry.action}</span>
          </UnstyledButton>
          <Text size="xs" className={classes.breakable} hiddenFrom="sm">
            {who(entry)}
          </Text>
          <Text size="xs" c="dimmed" lineClamp={2} className={classes.breakable}>
            {summary(entry, t)}
          </Text>
        </>
      ),
    },
    {
      key: 'actor',
      header: t.audit.actor,
      wide: true,
      width: '20%',
      cell: (entry) => <span className={classes.breakable}>{who(entry)}</span>,
    },
    {
      key: 'target',
      header: t.audit.target,
      wide: true,
      width: '24%',
      cell: (entry) => (
        <span className={classes.breakable}>
          {entry.target_kind}{' '}
          <Text span size="xs" c="dimmed" className={classes.breakable}>
            {entry.target_id}
          </Text>
        </span>
      ),
    },
  ]

  return (
    <Page title={t.audit.title} lead={t.audit.lead} action={may('audit:export') ? <Export filter={filter} /> : undefined}>
      <Verification />
      <AuditFilters key={chosen} filter={filter} onChange={narrow} />
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
      {opened !== null && (
        <EntryDrawer
          id={opened}
          onClose={() => show(null)}
          onFilter={(next) => {
            narrow(next)
            setChosen((before) => before + 1)
          }}
        />
      )}
    </Page>
  )
}

function Export({ filter }: { filter: AuditFilter }) {
  const { t } = useLanguage()
  const toasts = useToasts()
  const make = useMutation({
    mutationFn: (format: 'csv' | 'jsonl') => exportAudit(format, filter),
    onSuccess: () => toasts.say(t.audit.exported),
    onError: toasts.fail,
  })
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} loading={make.isPending}>
          {t.audit.export}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => make.mutate('csv')}>{t.audit.exportCsv}</Menu.Item>
        <Menu.Item onClick={() => make.mutate('jsonl')}>{t.audit.exportJsonl}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
