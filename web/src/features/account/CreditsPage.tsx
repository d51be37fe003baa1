import { Button, SegmentedControl, Skeleton, Text } from '@mantine/core'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { IconChartBar, IconReceipt, IconTable } from '@tabler/icons-react'
import { useState } from 'react'
import { useSearchParams } from 'react-router'
import { listEntries, readUsage } from '@/api/credits'
import { pagesQuery } from '@/api/pages'
import { balanceQuery } from '@/api/queries'
import type { DayUsage, Entry, ModelUsage, Usage } from '@/api/types'
import { useLanguage } from '@/i18n'
import { BarChart } from '@/ui/BarChart'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Page, Section } from '@/ui/Page'
import classes from './account.module.css'

const RANGES = ['7', '30', '90'] as const
type Range = (typeof RANGES)[number]
type Measure = 'credits' | 'tokens'

export function CreditsPage() {
  const { t } = useLanguage()
  return (
    <Page title={t.credits.title} lead={t.credits.lead}>
      <Figures />
      <UsageSection />
      <Entries />
    </Page>
  )
}

function Figures() {
  const { t, format } = useLanguage()
  const balance = useQuery(balanceQuery)
  if (balance.isError) return <ErrorPanel error={balance.error} onRetry={() => void balance.refetch()} />
  return (
    <dl className={classes.figures}>
      {(['available', 'held', 'balance'] as const).map((name) => (
        <div key={name} className={classes.figure}>
          <dt>{t.credits[name]}</dt>
          <dd>{balance.data ? format.credits(balance.data[name]) : <Skeleton height={20} my={3} width={90} />}</dd>
        </div>
      ))}
    </dl>
  )
}

function UsageSection() {
  const { t } = useLanguage()
  const [search, setSearch] = useSearchParams()
  const [table, setTable] = useState(false)
  const range: Range = RANGES.find((value) => value === search.get('days')) ?? '30'
  const usage = useQuery({
    queryKey: ['credits', 'usage', range],
    queryFn: ({ signal }) => readUsage(Number(range), signal),
    placeholderData: (before) => before,
  })
  return (
    <Section
      title={t.credits.usage}
      action={
        <div className={classes.tools}>
          <SegmentedControl
            size="xs"
            aria-label={t.credits.range}
            value={range}
            data={RANGES.map((value) => ({ value, label: t.credits.ranges[value] }))}
            onChange={(value) => setSearch({ days: value }, { replace: true })}
          />
          <Button
            size="xs"
            variant="default"
            leftSection={table ? <IconChartBar size={15} /> : <IconTable size={15} />}
            onClick={() => setTable(!table)}
          >
            {table ? t.credits.asChart : t.credits.asTable}
          </Button>
        </div>
      }
    >
      {usage.isError ? (
        <ErrorPanel error={usage.error} onRetry={() => void usage.refetch()} />
      ) : usage.data ? (
        <UsageView usage={usage.data} days={Number(range)} table={table} />
      ) : (
        <div className={classes.panel}>
          <Skeleton height={212} />
        </div>
      )}
    </Section>
  )
}

function UsageView({ usage, days, table }: { usage: Usage; days: number; table: boolean }) {
  const { t, format } = useLanguage()
  const [chosen, setChosen] = useState<Measure | null>(null)
  // Where everything was free, tokens say more than a flat line.
  const measure = chosen ?? (usage.days.some(({ credits }) => Number(credits) > 0) ? 'credits' : 'tokens')
  if (usage.days.every(({ calls }) => calls === 0)) {
    return (
      <div className={classes.panel}>
        <Text c="dimmed">{t.credits.emptyUsage}</Text>
      </div>
    )
  }
  const numbers: Column<DayUsage | ModelUsage>[] = [
    { key: 'credits', header: t.credits.creditsColumn, numeric: true, cell: (row) => format.credits(row.credits) },
    { key: 'tokens', header: t.credits.tokens, numeric: true, cell: (row) => format.number(row.tokens) },
    { key: 'calls', header: t.credits.calls, numeric: true, cell: (row) => format.number(row.calls) },
  ]
  return (
    <>
      {table ? (
        <DataTable
          label={t.credits.chart(days)}
          columns={[{ key: 'day', header: t.credits.day, cell: (row: DayUsage) => format.day(row.date) }, ...numbers]}
          rows={usage.days.filter(({ calls }) => calls > 0).reverse()}
          rowKey={({ date }) => date}
          empty={null}
        />
      ) : (
        <div className={classes.panel}>
          <BarChart
            title={measure === 'credits' ? t.credits.chart(days) : t.credits.tokenChart(days)}
            axis={format.short}
            action={
              <SegmentedControl
                size="xs"
                aria-label={t.credits.measure}
                value={measure}
                data={[
                  { value: 'credits', label: t.credits.creditsColumn },
                  { value: 'tokens', label: t.credits.tokens },
                ]}
                onChange={setChosen}
              />
            }
            bars={usage.days.map((day) => ({
              key: day.date,
              label: format.day(day.date),
              value: measure === 'credits' ? Number(day.credits) : day.tokens,
              reading: t.credits.reading(format.credits(day.credits), format.number(day.tokens), format.number(day.calls)),
            }))}
          />
        </div>
      )}
      <div className={classes.below}>
        <DataTable
          label={t.credits.byModel}
          columns={[{ key: 'model', header: t.credits.model, cell: (row: ModelUsage) => row.model }, ...numbers]}
          rows={usage.models}
          rowKey={({ model }) => model}
          empty={<Text c="dimmed">{t.credits.emptyUsage}</Text>}
        />
      </div>
    </>
  )
}

function Entries() {
  const { t, format } = useLanguage()
  const list = useInfiniteQuery(pagesQuery(['credits', 'entries'], listEntries))
  const columns: Column<Entry>[] = [
    { key: 'at', header: t.credits.at, cell: (entry) => format.dateTime(entry.at) },
    { key: 'kind', header: t.credits.kind, cell: (entry) => t.credits.kinds[entry.kind] },
    { key: 'about', header: t.credits.reason, wide: true, cell: (entry) => [entry.reason, entry.model].filter((word) => word !== null && word !== '').join(' · ') },
    {
      key: 'amount',
      header: t.credits.amount,
      numeric: true,
      cell: (entry) => (
        <span className={Number(entry.amount) > 0 ? classes.gain : ''}>
          {Number(entry.amount) > 0 ? '+' : ''}
          {format.credits(entry.amount)}
        </span>
      ),
    },
    { key: 'after', header: t.credits.after, numeric: true, wide: true, cell: (entry) => format.credits(entry.balance_after) },
  ]
  return (
    <Section title={t.credits.entries}>
      {list.isError && list.data === undefined ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        <DataTable
          label={t.credits.entries}
          columns={columns}
          rows={list.data?.pages.flatMap(({ items }) => items)}
          rowKey={({ id }) => id}
          empty={<EmptyState icon={<IconReceipt size={20} />} title={t.credits.entries} text={t.credits.emptyEntries} />}
          more={{ has: list.hasNextPage, loading: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
        />
      )}
    </Section>
  )
}
