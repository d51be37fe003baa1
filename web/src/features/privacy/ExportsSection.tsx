import { Button, Group, Menu, Text } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { IconDownload, IconFileZip, IconTrash } from '@tabler/icons-react'
import { askForExport, deleteExport, exportFile, type DataExport } from '@/api/privacy'
import { useLanguage } from '@/i18n'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Section } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { Status, type Tone } from '@/ui/Status'
import { useToasts } from '@/ui/toasts'
import { isOpen, privacyQuery } from './queries'

const TONES: Record<DataExport['status'], Tone> = { waiting: 'info', running: 'info', ready: 'ok', failed: 'bad' }

export function ExportsSection({ exports }: { exports: DataExport[] | undefined }) {
  const { t, format } = useLanguage()
  const toasts = useToasts()
  const client = useQueryClient()
  const refresh = () => client.invalidateQueries({ queryKey: privacyQuery.queryKey })
  const asking = useMutation({
    mutationFn: askForExport,
    onSuccess: () => {
      toasts.say(t.privacy.asked)
      return refresh()
    },
  })
  const removing = useMutation({
    mutationFn: deleteExport,
    onSuccess: () => {
      toasts.say(t.privacy.exportRemoved)
      return refresh()
    },
    onError: toasts.fail,
  })
  const stateOf = ({ status, rows_done: done, rows_total: total }: DataExport) => {
    if (status !== 'running') return t.privacy[status]
    return t.privacy.writing(format.percent(total === 0 ? 0 : Math.min(1, done / total)))
  }
  const columns: Column<DataExport>[] = [
    {
      key: 'state',
      header: t.privacy.state,
      cell: (made) => (
        <>
          <Status tone={TONES[made.status]}>{stateOf(made)}</Status>
          {made.by_administrator && (
            <Text size="xs" c="dimmed">
              {t.privacy.byAdministrator}
            </Text>
          )}
        </>
      ),
    },
    { key: 'made', header: t.privacy.made, wide: true, cell: (made) => format.dateTime(made.created_at) },
    { key: 'size', header: t.privacy.size, numeric: true, cell: ({ size }) => (size === null ? '' : format.size(size)) },
    {
      key: 'until',
      header: t.privacy.until,
      wide: true,
      cell: ({ expires_at: until }) => (until === null ? '' : format.dateTime(until)),
    },
    {
      key: 'actions',
      header: t.common.actions,
      quiet: true,
      numeric: true,
      cell: (made) => (
        <RowMenu label={`${t.common.actions}: ${format.dateTime(made.created_at)}`}>
          {made.status === 'ready' && (
            <Menu.Item component="a" href={exportFile(made.id)} download leftSection={<IconDownload size={16} />}>
              {t.privacy.download}
            </Menu.Item>
          )}
          <Menu.Item leftSection={<IconTrash size={16} />} onClick={() => removing.mutate(made.id)}>
            {t.privacy.removeExport}
          </Menu.Item>
        </RowMenu>
      ),
    },
  ]
  const ready = exports?.find(({ status }) => status === 'ready')
  return (
    <Section
      title={t.privacy.exports}
      action={
        <Group gap="xs">
          {ready !== undefined && (
            <Button component="a" href={exportFile(ready.id)} download leftSection={<IconDownload size={16} />}>
              {t.privacy.download}
            </Button>
          )}
          <Button
            variant="default"
            loading={asking.isPending}
            disabled={exports === undefined || exports.some(isOpen)}
            onClick={() => asking.mutate()}
          >
            {t.privacy.ask}
          </Button>
        </Group>
      }
    >
      <Text size="sm" c="dimmed" maw={640} mb="sm">
        {t.privacy.exportsText}
      </Text>
      {asking.isError && <ErrorPanel error={asking.error} compact />}
      <DataTable
        label={t.privacy.exports}
        columns={columns}
        rows={exports}
        rowKey={({ id }) => id}
        empty={
          <EmptyState icon={<IconFileZip size={20} />} title={t.privacy.noExports} text={t.privacy.noExportsText} />
        }
      />
    </Section>
  )
}
