import { Button, Menu, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconLogin2, IconPencil, IconPlugConnected, IconPlus, IconPower, IconTrash } from '@tabler/icons-react'
import { useState } from 'react'
import {
  changeSignInProvider,
  checkSignInProvider,
  deleteSignInProvider,
  signInProvidersQuery,
  type SignInProvider,
} from '@/api/federation'
import { useLanguage } from '@/i18n'
import { ConfirmByTyping } from '@/ui/ConfirmByTyping'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Page } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { useMay } from '@/ui/session'
import { Status } from '@/ui/Status'
import { useToasts } from '@/ui/toasts'
import classes from './federation.module.css'
import { ProviderDialog } from './ProviderDialog'
import { useProviderWords } from './words'

type Dialog = { kind: 'add' } | { kind: 'edit' | 'delete'; provider: SignInProvider }

export function ProvidersPage() {
  const { t } = useLanguage()
  const words = useProviderWords()
  const may = useMay()
  const toasts = useToasts()
  const client = useQueryClient()
  const list = useQuery(signInProvidersQuery)
  const [dialog, setDialog] = useState<Dialog | null>(null)
  const manage = may('sso:manage')
  const refresh = () =>
    Promise.all([
      client.invalidateQueries({ queryKey: signInProvidersQuery.queryKey }),
      client.invalidateQueries({ queryKey: ['sign-in-choices'] }),
    ])
  const power = useMutation({
    mutationFn: ({ id, enabled }: SignInProvider) => changeSignInProvider(id, { enabled: !enabled }),
    onSuccess: refresh,
    onError: toasts.fail,
  })
  const checking = useMutation({
    mutationFn: ({ id }: SignInProvider) => checkSignInProvider(id),
    onSuccess: ({ keys }, { name }) => toasts.say(words.checked(name, keys)),
    onError: toasts.fail,
  })
  const add = manage ? (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setDialog({ kind: 'add' })}>
      {words.add}
    </Button>
  ) : null
  const columns: Column<SignInProvider>[] = [
    {
      key: 'name',
      header: words.name,
      cell: (provider) => (
        <>
          <Text size="sm" fw={500}>
            {provider.name}
          </Text>
          <Text size="xs" c="dimmed" className={classes.breakable}>
            {provider.issuer}
          </Text>
        </>
      ),
    },
    { key: 'accounts', header: words.accounts, wide: true, numeric: true, cell: ({ linked }) => linked },
    {
      key: 'state',
      header: words.state,
      cell: ({ enabled }) => (
        <Status tone={enabled ? 'ok' : 'off'}>{enabled ? words.on : words.off}</Status>
      ),
    },
    {
      key: 'actions',
      header: t.common.actions,
      quiet: true,
      numeric: true,
      cell: (provider) =>
        manage && (
          <RowMenu label={`${t.common.actions}: ${provider.name}`}>
            <Menu.Item leftSection={<IconPencil size={16} />} onClick={() => setDialog({ kind: 'edit', provider })}>
              {words.edit}
            </Menu.Item>
            <Menu.Item leftSection={<IconPlugConnected size={16} />} onClick={() => checking.mutate(provider)}>
              {words.check}
            </Menu.Item>
            <Menu.Item leftSection={<IconPower size={16} />} onClick={() => power.mutate(provider)}>
              {provider.enabled ? words.disable : words.enable}
            </Menu.Item>
            <Menu.Item
              color="var(--hub-bad)"
              leftSection={<IconTrash size={16} />}
              onClick={() => setDialog({ kind: 'delete', provider })}
            >
              {words.delete}
            </Menu.Item>
          </RowMenu>
        ),
    },
  ]
  return (
    <Page title={t.signInProviders.title} lead={words.lead} action={add}>
      {list.isError && list.data === undefined ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        <DataTable
          label={t.signInProviders.title}
          columns={columns}
          rows={list.data}
          rowKey={({ id }) => id}
          empty={
            <EmptyState
              icon={<IconLogin2 size={20} />}
              title={words.empty}
              text={words.emptyText}
              action={add}
            />
          }
        />
      )}
      {(dialog?.kind === 'add' || dialog?.kind === 'edit') && (
        <ProviderDialog
          provider={dialog.kind === 'edit' ? dialog.provider : null}
          onClose={() => setDialog(null)}
          onSaved={() => {
            setDialog(null)
            toasts.say(t.common.saved)
            void refresh()
          }}
        />
      )}
      {dialog?.kind === 'delete' && (
        <DeleteDialog
          provider={dialog.provider}
          onClose={() => setDialog(null)}
          onDeleted={() => {
            setDialog(null)
            toasts.say(words.deleted(dialog.provider.name))
            void refresh()
          }}
        />
      )}
    </Page>
  )
}

function DeleteDialog(props: { provider: SignInProvider; onClose: () => void; onDeleted: () => void }) {
  const words = useProviderWords()
  const { provider } = props
  const deleting = useMutation({ mutationFn: () => deleteSignInProvider(provider.id), onSuccess: props.onDeleted })
  return (
    <ConfirmByTyping
      title={words.deleteTitle(provider.name)}
      text={words.deleteText(provider.linked)}
      word={provider.handle}
      ask={words.deleteAsk(provider.handle)}
      action={words.delete}
      busy={deleting.isPending}
      error={deleting.error}
      onConfirm={() => deleting.mutate()}
      onClose={props.onClose}
    />
  )
}
