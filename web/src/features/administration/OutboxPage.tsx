import { Alert, Button, Group, Modal, SegmentedControl, Skeleton, Stack, Text } from '@mantine/core'
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconCheck, IconCopy, IconInfoCircle, IconMailbox } from '@tabler/icons-react'
import { useState } from 'react'
import { useSearchParams } from 'react-router'
import { listLetters, readLetter, retryLetter, type Letter } from '@/api/mail'
import { pagesQuery } from '@/api/pages'
import { useLanguage } from '@/i18n'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Page } from '@/ui/Page'
import { useMay } from '@/ui/session'
import { Status, type Tone } from '@/ui/Status'
import { useToasts } from '@/ui/toasts'
import { useCopied } from '@/ui/useCopied'
import classes from './administration.module.css'

const STATUSES = ['waiting', 'sent', 'failed', 'expired'] as const
const TONES: Record<string, Tone> = { waiting: 'watch', sent: 'ok', failed: 'bad', expired: 'off' }
const REFRESH_MS = 5_000

export function OutboxPage() {
  const { t, format } = useLanguage()
  const may = useMay()
  const client = useQueryClient()
  const toasts = useToasts()
  const [params, setParams] = useSearchParams()
  const [reading, setReading] = useState<Letter | null>(null)
  const status = STATUSES.find((name) => name === params.get('status')) ?? ''
  const list = useInfiniteQuery({
    ...pagesQuery(['outbox', status], (cursor, signal) => listLetters(status, cursor, signal)),
    refetchInterval: REFRESH_MS,
  })
  const retry = useMutation({
    mutationFn: (letter: Letter) => retryLetter(letter.id),
    onSuccess: async () => {
      toasts.say(t.outbox.retried)
      await client.invalidateQueries({ queryKey: ['outbox'] })
    },
    onError: toasts.fail,
  })
  // The list's pages carry more than a list does: whether anything is delivered at all.
  const delivers = (list.data?.pages[0] as { delivers?: boolean } | undefined)?.delivers !== false

  const columns: Column<Letter>[] = [
    {
      key: 'to',
      header: t.outbox.to,
      cell: (letter) => (
        <>
          <Text size="sm" fw={500} className={classes.breakable}>
            {letter.to}
          </Text>
          <Text size="xs" c="dimmed">
            {letter.subject}
          </Text>
          {letter.error !== null && (
            <Text size="xs" c="dimmed" lineClamp={2} title={letter.error} className={classes.breakable}>
              {letter.error}
            </Text>
          )}
        </>
      ),
    },
    {
      key: 'status',
      header: t.outbox.status,
      cell: (letter) => (
        <Status tone={TONES[letter.status] ?? 'off'}>{t.outbox.statuses[letter.status] ?? letter.status}</Status>
      ),
    },
    { key: 'written', header: t.outbox.written, wide: true, cell: (letter) => format.ago(letter.created_at) },
    {
      key: 'actions',
      header: t.common.actions,
      quiet: true,
      numeric: true,
      cell: (letter) => (
        <Group gap={6} justify="flex-end" wrap="nowrap">
          {letter.status === 'failed' && letter.readable && (
            <Button size="compact-xs" variant="default" onClick={() => retry.mutate(letter)}>
              {t.outbox.retry}
            </Button>
          )}
          {letter.readable && may('mail:open') && (
            <Button size="compact-xs" variant="default" onClick={() => setReading(letter)}>
              {t.outbox.read}
            </Button>
          )}
        </Group>
      ),
    },
  ]

  return (
    <Page title={t.outbox.title} lead={t.outbox.lead}>
      {!delivers && (
        <Alert variant="default" mb="md" icon={<IconInfoCircle size={18} />} title={t.outbox.noServer}>
          {t.outbox.noServerText}
        </Alert>
      )}
      <div className={classes.filters}>
        <SegmentedControl
          size="xs"
          aria-label={t.outbox.status}
          value={status}
          data={[
            { value: '', label: t.outbox.all },
            ...STATUSES.map((value) => ({ value, label: t.outbox.statuses[value] ?? value })),
          ]}
          onChange={(value) => setParams(value === '' ? {} : { status: value }, { replace: true })}
        />
      </div>
      {list.isError && list.data === undefined ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        <DataTable
          label={t.outbox.title}
          columns={columns}
          rows={list.data?.pages.flatMap(({ items }) => items)}
          rowKey={({ id }) => id}
          empty={<EmptyState icon={<IconMailbox size={20} />} title={t.outbox.emptyTitle} text={t.outbox.emptyText} />}
          more={{ has: list.hasNextPage, loading: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
        />
      )}
      {reading && <LetterDialog letter={reading} onClose={() => setReading(null)} />}
    </Page>
  )
}

function LetterDialog({ letter, onClose }: { letter: Letter; onClose: () => void }) {
  const { t } = useLanguage()
  const [copied, copy] = useCopied()
  const text = useQuery({
    queryKey: ['outbox', 'letter', letter.id],
    queryFn: ({ signal }) => readLetter(letter.id, signal),
    // Each reading is audited: look once, and forget it when the dialog closes.
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
  })
  const link = text.data?.link ?? null
  return (
    <Modal opened onClose={onClose} title={letter.subject} size={560} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack gap="md">
        {text.isPending && <Skeleton height={160} aria-label={t.common.loading} />}
        {text.isError && <ErrorPanel error={text.error} compact />}
        {text.data && (
          <Text size="sm" className={classes.letter ?? ''}>
            {text.data.text}
          </Text>
        )}
        {link !== null && (
          <Group justify="flex-end">
            <Button leftSection={copied ? <IconCheck size={16} /> : <IconCopy size={16} />} onClick={() => copy(link)}>
              {copied ? t.common.copied : t.outbox.copyLink}
            </Button>
          </Group>
        )}
      </Stack>
    </Modal>
  )
}
