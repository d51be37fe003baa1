import { Button, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { endDevice, endOtherDevices } from '@/api/security'
import type { Device } from '@/api/types'
import { useLanguage } from '@/i18n'
import { DataTable, type Column } from '@/ui/DataTable'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Section } from '@/ui/Page'
import { useToasts } from '@/ui/toasts'
import { devicesQuery } from './queries'
import classes from './security.module.css'

export function DevicesSection() {
  const { t, format } = useLanguage()
  const toasts = useToasts()
  const client = useQueryClient()
  const list = useQuery(devicesQuery)
  const refresh = () => client.invalidateQueries({ queryKey: devicesQuery.queryKey })
  const ending = useMutation({
    mutationFn: endDevice,
    onSuccess: () => {
      toasts.say(t.security.deviceEnded)
      return refresh()
    },
    onError: toasts.fail,
  })
  const endingOthers = useMutation({
    mutationFn: endOtherDevices,
    onSuccess: ({ ended }) => {
      toasts.say(t.security.othersEnded(ended))
      return refresh()
    },
    onError: toasts.fail,
  })
  const named = ({ browser, client, system }: Device) => {
    if (client !== null) return t.security.program(client)
    if (browser !== null && system !== null) return t.security.browserOn(browser, system)
    return browser ?? system ?? t.security.unknownBrowser
  }
  const columns: Column<Device>[] = [
    {
      key: 'browser',
      header: t.security.device,
      cell: (device) => (
        <>
          <Text size="sm" fw={500}>
            {named(device)}
            {device.current && <span className={classes.faint}> ({t.security.here})</span>}
          </Text>
          <Text size="xs" c="dimmed" hiddenFrom="sm">
            {format.ago(device.last_seen_at)}
          </Text>
        </>
      ),
    },
    { key: 'address', header: t.security.address, wide: true, cell: (device) => device.address ?? '' },
    { key: 'since', header: t.security.since, wide: true, cell: (device) => format.dateTime(device.created_at) },
    { key: 'seen', header: t.security.lastSeen, wide: true, cell: (device) => format.ago(device.last_seen_at) },
    {
      key: 'actions',
      header: t.common.actions,
      quiet: true,
      numeric: true,
      cell: (device) =>
        device.current ? null : (
          <Button
            size="xs"
            variant="default"
            aria-label={`${t.security.signOutDevice}: ${named(device)}`}
            onClick={() => ending.mutate(device.id)}
          >
            {t.security.signOutDevice}
          </Button>
        ),
    },
  ]
  return (
    <Section
      title={t.security.devices}
      action={
        (list.data?.length ?? 0) > 1 ? (
          <Button size="xs" variant="default" loading={endingOthers.isPending} onClick={() => endingOthers.mutate()}>
            {t.security.signOutOthers}
          </Button>
        ) : null
      }
    >
      {list.isError ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        <DataTable
          label={t.security.devices}
          columns={columns}
          rows={list.data}
          rowKey={({ id }) => id}
          empty={null}
        />
      )}
    </Section>
  )
}
