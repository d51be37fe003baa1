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

type Dialog = { kind: 'add' } | { kind: 'edit' | 'delete'; provider: SignInProvider }

export function ProvidersPage() {
  const { t } = useLanguage()
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
    onSuccess: ({ keys }, { name }) => toasts.say(t.signInProviders.checked(name, keys)),
    onError: toasts.fail,
  })
  const add = manage ? (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setDialog({ kind: 'add' })}>
      {t.signInProviders.add}
    </Button>
  ) : null
  const columns: Column<SignInProvider>[] = [
    {
      key: 'name',
      header: t.signInProviders.name,
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
    { key: 'accounts', header: t.signInProviders.accounts, wide: true, numeric: true, cell: ({ linked }) => linked },
    {
      key: 'state',
      header: t.signInProviders.state,
      cell: ({ enabled }) => (
        <Status tone={enabled ? 'ok' : 'off'}>{enabled ? t.signInProviders.on : t.signInProviders.off}</Status>
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
              {t.signInProviders.edit}
            </Menu.Item>
            <Menu.Item leftSection={<IconPlugConnected size={16} />} onClick={() => checking.mutate(provider)}>
              {t.signInProviders.check}
            </Menu.Item>
            <Menu.Item leftSection={<IconPower size={16} />} onClick={() => power.mutate(provider)}>
              {provider.enabled ? t.signInProviders.disable : t.signInProviders.enable}
            </Menu.Item>
            <Menu.Item
              color="var(--hub-bad)"
              leftSection={<IconTrash size={16} />}
              onClick={() => setDialog({ kind: 'delete', provider })}
            >
              {t.signInProviders.delete}
            </Menu.Item>
          </RowMenu>
        ),
    },
  ]
  return (
    <Page title={t.signInProviders.title} lead={t.signInProviders.lead} action={add}>
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
              title={t.signInProviders.empty}
              text={t.signInProviders.emptyText}
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
            toasts.say(t.signInProviders.deleted(dialog.provider.name))
            void refresh()
          }}
        />
      )}
    </Page>
  )
}

function DeleteDialog(props: { provider: SignInProvider; onClose: () => void; onDeleted: () => void }) {
  const { t } = useLanguage()
  const { provider } = props
  const deleting = useMutation({ mutationFn: () => deleteSignInProvider(provider.id), onSuccess: props.onDeleted })
  return (
    <ConfirmByTyping
      title={t.signInProviders.deleteTitle(provider.name)}
      text={t.signInProviders.deleteText(provider.linked)}
      word={provider.handle}
      ask={t.signInProviders.deleteAsk(provider.handle)}
      action={t.signInProviders.delete}
      busy={deleting.isPending}
      error={deleting.error}
      onConfirm={() => deleting.mutate()}
      onClose={props.onClose}
    />
  )
}
