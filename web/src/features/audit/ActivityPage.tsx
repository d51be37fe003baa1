import { Anchor, Text } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { IconHistory } from '@tabler/icons-react'
import { Link } from 'react-router'
import { listActivity, type Activity } from '@/api/audit'
import { pagesQuery } from '@/api/pages'
import { useLanguage } from '@/i18n'
import { deedsEn } from '@/i18n/deeds.en'
import { deedsFr } from '@/i18n/deeds.fr'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Page } from '@/ui/Page'
import classes from './audit.module.css'
import { browserInWords, summary } from './values'

/** Without whose it is: it is the reader's own. */
function ofOthers(details: Activity['details']): Activity['details'] {
  return details === null ? null : Object.fromEntries(Object.entries(details).filter(([name]) => name !== 'owner'))
}

/** Everybody's own part of the audit trail. */
export function ActivityPage() {
  const { t, format, locale } = useLanguage()
  const list = useInfiniteQuery(pagesQuery(['activity'], listActivity))
  const deeds: Record<string, string | undefined> = locale === 'fr' ? deedsFr : deedsEn
  const by = ({ by: who }: Activity) =>
    who === 'you' ? t.activity.you : who === 'hub' ? t.audit.system : t.activity.somebody
  const from = (item: Activity) =>
    [item.ip, item.user_agent === null ? null : browserInWords(item.user_agent)].filter(Boolean).join(' · ')

  const columns: Column<Activity>[] = [
    {
      key: 'at',
      header: t.audit.at,
      cell: (item) => (
        <time dateTime={item.at} title={format.dateTime(item.at)}>
          {format.ago(item.at)}
        </time>
      ),
    },
    {
      key: 'action',
      header: t.audit.action,
      cell: (item) => (
        <>
          {deeds[item.action] === undefined ? (
            <span className={classes.mono}>{item.action}</span>
          ) : (
            <Text size="sm" title={item.action}>
              {deeds[item.action]}
            </Text>
          )}
          <Text size="xs" className={classes.breakable} hiddenFrom="sm">
            {by(item)}
          </Text>
          <Text size="xs" c="dimmed" className={classes.breakable}>
            {summary({ ...item, details: ofOthers(item.details) }, t)}
          </Text>
        </>
      ),
    },
    { key: 'by', header: t.activity.by, wide: true, cell: by },
    {
      key: 'from',
      header: t.audit.address,
      wide: true,
      cell: (item) => <span className={classes.breakable}>{from(item) === '' ? '–' : from(item)}</span>,
    },
  ]

  return (
    <Page title={t.activity.title} lead={t.activity.lead}>
      {list.isError && list.data === undefined ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        <DataTable
          label={t.activity.title}
          columns={columns}
          rows={list.data?.pages.flatMap(({ items }) => items)}
          rowKey={({ id }) => id}
          empty={
            <EmptyState icon={<IconHistory size={20} />} title={t.activity.emptyTitle} text={t.activity.emptyText} />
          }
          more={{ has: list.hasNextPage, loading: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
        />
      )}
      <Text size="sm" c="dimmed" mt="md">
        {t.activity.hint}{' '}
        <Anchor component={Link} to="/account/security" inherit underline="always">
          {t.nav.security}
        </Anchor>
      </Text>
    </Page>
  )
}
