import { Button, Code, Menu, Text } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { IconKey, IconPencil, IconPlus, IconRefresh, IconTrash } from '@tabler/icons-react'
import { useState } from 'react'
import { listKeys } from '@/api/keys'
import { pagesQuery } from '@/api/pages'
import type { Key } from '@/api/types'
import { useLanguage } from '@/i18n'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Page } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { useMay } from '@/ui/session'
import { Status } from '@/ui/Status'
import { CreateKeyDialog } from './CreateKeyDialog'
import { useBoundsInWords } from './KeyBounds'
import { ChangeKeyDialog, RevokeKeyDialog, RotateKeyDialog } from './KeyDialogs'
import { useKeyWords } from './keyWords'

type State = 'active' | 'expired' | 'revoked'

function stateOf(key: Key): State {
  if (key.revoked_at !== null) return 'revoked'
  return key.expires_at !== null && new Date(key.expires_at) < new Date() ? 'expired' : 'active'
}

export function KeysPage() {
  const { t, format } = useLanguage()
  const words = useKeyWords()
  const may = useMay()
  const bounds = useBoundsInWords()
  const [creating, setCreating] = useState(false)
  const [dialog, setDialog] = useState<{ kind: 'change' | 'rotate' | 'revoke'; key: Key } | null>(null)
  const list = useInfiniteQuery(pagesQuery(['keys'], listKeys))
  const create = may('keys:manage') ? (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setCreating(true)}>
      {t.keys.create}
    </Button>
  ) : null

  const columns: Column<Key>[] = [
    {
      key: 'name',
      header: t.keys.name,
      cell: (key) => (
        <>
          <Text size="sm" fw={500}>
            {key.name}
          </Text>
          <Text size="xs" c="dimmed">
            <Code>{key.prefix}…</Code>
          </Text>
          {key.previous_prefix !== null && key.previous_until !== null && (
            <Text size="xs" c="dimmed">
              {words.oldUntil(key.previous_prefix, format.dateTime(key.previous_until))}
            </Text>
          )}
          <Text size="xs" c="dimmed" hiddenFrom="sm">
            {bounds(key).join(' · ')}
          </Text>
        </>
      ),
    },
    { key: 'scopes', header: t.keys.scopes, wide: true, cell: (key) => <Text size="xs">{key.scopes.join(', ')}</Text> },
    {
      key: 'state',
      header: t.keys.state,
      cell: (key) => {
        const state = stateOf(key)
        return <Status tone={state === 'active' ? 'ok' : 'off'}>{t.keys[state]}</Status>
      },
    },
    {
      key: 'bounds',
      header: words.column,
      wide: true,
      cell: (key) => (
        <Text size="xs" c="dimmed">
          {bounds(key).join(' · ') || '–'}
        </Text>
      ),
    },
    {
      key: 'credits',
      header: t.keys.limit,
      numeric: true,
      wide: true,
      cell: (key) => (key.credits === null ? '–' : format.credits(key.credits.available)),
    },
    {
      key: 'expires',
      header: t.keys.expires,
      wide: true,
      cell: (key) => (key.expires_at === null ? t.common.never : format.date(key.expires_at)),
    },
    {
      key: 'used',
      header: t.keys.lastUsed,
      wide: true,
      cell: (key) => (key.last_used_at === null ? t.common.never : format.ago(key.last_used_at)),
    },
    {
      key: 'actions',
      header: t.common.actions,
      quiet: true,
      numeric: true,
      cell: (key) =>
        key.revoked_at === null && may('keys:manage') ? (
          <RowMenu label={`${t.common.actions}: ${key.name}`}>
            <Menu.Item leftSection={<IconPencil size={16} />} onClick={() => setDialog({ kind: 'change', key })}>
              {words.change}
            </Menu.Item>
            {stateOf(key) === 'active' && (
              <Menu.Item leftSection={<IconRefresh size={16} />} onClick={() => setDialog({ kind: 'rotate', key })}>
                {words.rotate}
              </Menu.Item>
            )}
            <Menu.Item
              color="var(--hub-bad)"
              leftSection={<IconTrash size={16} />}
              onClick={() => setDialog({ kind: 'revoke', key })}
            >
              {t.keys.revoke}
            </Menu.Item>
          </RowMenu>
        ) : null,
    },
  ]

  return (
    <Page title={t.keys.title} lead={t.keys.lead} action={create}>
      {list.isError && list.data === undefined ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        <DataTable
          label={t.keys.title}
          columns={columns}
          rows={list.data?.pages.flatMap(({ items }) => items)}
          rowKey={({ id }) => id}
          empty={
            <EmptyState icon={<IconKey size={20} />} title={t.keys.emptyTitle} text={t.keys.emptyText} action={create} />
          }
          more={{ has: list.hasNextPage, loading: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
        />
      )}
      {creating && <CreateKeyDialog onClose={() => setCreating(false)} />}
      {dialog?.kind === 'change' && <ChangeKeyDialog of={dialog.key} onClose={() => setDialog(null)} />}
      {dialog?.kind === 'rotate' && <RotateKeyDialog of={dialog.key} onClose={() => setDialog(null)} />}
      {dialog?.kind === 'revoke' && <RevokeKeyDialog of={dialog.key} onClose={() => setDialog(null)} />}
    </Page>
  )
}
