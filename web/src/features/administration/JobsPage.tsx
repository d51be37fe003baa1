import { Button, SegmentedControl, Text } from '@mantine/core'
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query'
import { IconStack2 } from '@tabler/icons-react'
import { useSearchParams } from 'react-router'
import { listJobs, retryJob } from '@/api/operations'
import { pagesQuery } from '@/api/pages'
import type { Job } from '@/api/types'
import { useLanguage } from '@/i18n'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Page } from '@/ui/Page'
import { useMay } from '@/ui/session'
import { Status, type Tone } from '@/ui/Status'
import { useToasts } from '@/ui/toasts'
import classes from './administration.module.css'

const STATUSES = ['todo', 'doing', 'succeeded', 'failed'] as const
const TONES: Record<string, Tone> = { todo: 'info', doing: 'watch', succeeded: 'ok', failed: 'bad' }
const REFRESH_MS = 5_000

export function JobsPage() {
  const { t, format } = useLanguage()
  const may = useMay()
  const client = useQueryClient()
  const toasts = useToasts()
  const [params, setParams] = useSearchParams()
  const status = STATUSES.find((name) => name === params.get('status')) ?? ''
  const list = useInfiniteQuery({
    ...pagesQuery(['jobs', status], (cursor, signal) => listJobs(status, cursor, signal)),
    refetchInterval: REFRESH_MS,
  })
  const retry = useMutation({
    mutationFn: (job: Job) => retryJob(job.id),
    onSuccess: async () => {
      toasts.say(t.jobs.retried)
      await client.invalidateQueries({ queryKey: ['jobs'] })
    },
    onError: toasts.fail,
  })
  const time = (value: string | null) => (value === null ? '–' : format.ago(value))

  const columns: Column<Job>[] = [
    {
      key: 'name',
      header: t.jobs.name,
      cell: (job) => (
        <>
          <Text size="sm" fw={500} className={classes.breakable}>
            {job.name}
          </Text>
          {job.error !== null && (
            <Text size="xs" c="dimmed" lineClamp={2} title={job.error} className={classes.breakable}>
              {job.error}
            </Text>
          )}
        </>
      ),
    },
    {
      key: 'status',
      header: t.jobs.status,
      cell: (job) => <Status tone={TONES[job.status] ?? 'off'}>{t.jobs.statuses[job.status] ?? job.status}</Status>,
    },
    { key: 'queue', header: t.jobs.queue, wide: true, cell: (job) => job.queue },
    { key: 'attempts', header: t.jobs.attempts, numeric: true, wide: true, cell: (job) => format.number(job.attempts) },
    { key: 'scheduled', header: t.jobs.scheduled, wide: true, cell: (job) => time(job.scheduled_at) },
    { key: 'started', header: t.jobs.started, wide: true, cell: (job) => time(job.started_at) },
    {
      key: 'actions',
      header: t.common.actions,
      quiet: true,
      numeric: true,
      cell: (job) =>
        job.status === 'failed' && may('jobs:manage') ? (
          <Button size="compact-xs" variant="default" onClick={() => retry.mutate(job)}>
            {t.jobs.retry}
          </Button>
        ) : null,
    },
  ]

  return (
    <Page title={t.jobs.title} lead={t.jobs.lead}>
      <div className={classes.filters}>
        <SegmentedControl
          size="xs"
          aria-label={t.jobs.status}
          value={status}
          data={[
            { value: '', label: t.jobs.all },
            ...STATUSES.map((value) => ({ value, label: t.jobs.statuses[value] ?? value })),
          ]}
          onChange={(value) => setParams(value === '' ? {} : { status: value }, { replace: true })}
        />
      </div>
      {list.isError && list.data === undefined ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        <DataTable
          label={t.jobs.title}
          columns={columns}
          rows={list.data?.pages.flatMap(({ items }) => items)}
          rowKey={({ id }) => String(id)}
          empty={<EmptyState icon={<IconStack2 size={20} />} title={t.jobs.emptyTitle} text={t.jobs.emptyText} />}
          more={{ has: list.hasNextPage, loading: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
        />
      )}
    </Page>
  )
}
