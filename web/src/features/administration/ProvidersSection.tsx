import { Button, Menu, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconListCheck, IconPencil, IconPlugConnected, IconPlus, IconPower, IconTrash } from '@tabler/icons-react'
import { useState } from 'react'
import { useSearchParams } from 'react-router'
import { changeProvider, deleteProvider, listProviders, testProvider } from '@/api/gateway'
import type { Provider } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ConfirmByTyping } from '@/ui/ConfirmByTyping'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Section } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { useMay } from '@/ui/session'
import { Status } from '@/ui/Status'
import { useToasts } from '@/ui/toasts'
import classes from './administration.module.css'
import { AddModelsDialog } from './AddModelsDialog'
import { ProviderDialog } from './ProviderDialog'

export const providersKey = ['providers']

type Dialog = { kind: 'edit' | 'delete' | 'models'; provider: Provider }

export function ProvidersSection() {
  const { t } = useLanguage()
  const may = useMay()
  const client = useQueryClient()
  const toasts = useToasts()
  const [params, setParams] = useSearchParams()
  const [dialog, setDialog] = useState<Dialog | null>(null)
  const list = useQuery({ queryKey: providersKey, queryFn: ({ signal }) => listProviders(signal) })
  const manage = may('providers:manage')
  const adding = manage && params.get('add') === 'provider'
  const refresh = async () => {
    await Promise.all([
      client.invalidateQueries({ queryKey: providersKey }),
      client.invalidateQueries({ queryKey: ['models'] }),
    ])
  }
  const power = useMutation({
    mutationFn: (provider: Provider) => changeProvider(provider.id, { enabled: !provider.enabled }),
    onSuccess: refresh,
    onError: toasts.fail,
  })
  const add = manage ? (
    <Button size="xs" leftSection={<IconPlus size={15} />} onClick={() => setParams({ add: 'provider' })}>
      {t.models.addProvider}
    </Button>
  ) : null

  const columns: Column<Provider>[] = [
    {
      key: 'name',
      header: t.models.name,
      cell: (provider) => (
        <>
          <Text size="sm" fw={500}>
            {provider.kind === 'embedded' ? t.models.kinds.embedded : provider.name}
          </Text>
          <Text size="xs" c="dimmed" className={classes.breakable}>
            {provider.base_url ?? provider.name}
          </Text>
        </>
      ),
    },
    { key: 'kind', header: t.models.kind, wide: true, cell: (provider) => t.models.kindWords[provider.kind] },
    {
      key: 'key',
      header: t.models.apiKey,
      wide: true,
      cell: (provider) =>
        provider.kind === 'embedded' ? '–' : provider.has_api_key ? t.models.apiKeySet : t.models.apiKeyNone,
    },
    {
      key: 'state',
      header: t.models.state,
      cell: (provider) =>
        provider.enabled && manage ? (
          <ProviderTest provider={provider} />
        ) : (
          <Status tone={provider.enabled ? 'ok' : 'off'}>
            {provider.enabled ? t.models.enabled : t.models.disabled}
          </Status>
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
            {provider.kind !== 'embedded' && (
              <>
                <Menu.Item leftSection={<IconListCheck size={16} />} onClick={() => setDialog({ kind: 'models', provider })}>
                  {t.models.addChosen(0)}
                </Menu.Item>
                <Menu.Item leftSection={<IconPencil size={16} />} onClick={() => setDialog({ kind: 'edit', provider })}>
                  {t.models.edit}
                </Menu.Item>
              </>
            )}
            <Menu.Item leftSection={<IconPower size={16} />} onClick={() => power.mutate(provider)}>
              {provider.enabled ? t.models.disable : t.models.enable}
            </Menu.Item>
            {provider.kind !== 'embedded' && (
              <Menu.Item
                color="var(--hub-bad)"
                leftSection={<IconTrash size={16} />}
                onClick={() => setDialog({ kind: 'delete', provider })}
              >
                {t.models.delete}
              </Menu.Item>
            )}
          </RowMenu>
        ),
    },
  ]

  return (
    <Section title={t.models.providers} action={add}>
      {list.isError && list.data === undefined ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        <DataTable
          label={t.models.providers}
          columns={columns}
          rows={list.data?.items}
          rowKey={({ id }) => id}
          empty={
            <EmptyState
              icon={<IconPlugConnected size={20} />}
              title={t.models.emptyProviders}
              text={t.models.emptyProvidersText}
              action={add}
            />
          }
        />
      )}
      {adding && (
        <ProviderDialog
          provider={null}
          onClose={() => setParams({})}
          onSaved={(provider) => {
            setParams({})
            void refresh()
            setDialog({ kind: 'models', provider })
          }}
        />
      )}
      {dialog?.kind === 'edit' && (
        <ProviderDialog
          provider={dialog.provider}
          onClose={() => setDialog(null)}
          onSaved={() => {
            toasts.say(t.common.saved)
            setDialog(null)
            void refresh()
          }}
        />
      )}
      {dialog?.kind === 'models' && <AddModelsDialog provider={dialog.provider} onClose={() => setDialog(null)} />}
      {dialog?.kind === 'delete' && (
        <DeleteProvider
          provider={dialog.provider}
          onClose={() => setDialog(null)}
          onDeleted={() => {
            toasts.say(t.models.deletedToast)
            setDialog(null)
            void refresh()
          }}
        />
      )}
    </Section>
  )
}

function ProviderTest({ provider }: { provider: Provider }) {
  const { t, format } = useLanguage()
  const toasts = useToasts()
  const test = useMutation({ mutationFn: () => testProvider(provider.id), onError: toasts.fail })
  const result = test.data
  return (
    <div className={classes.test}>
      <Button size="compact-xs" variant="default" loading={test.isPending} onClick={() => test.mutate()}>
        {t.models.test}
      </Button>
      <span role="status">
        {result?.ok === true && (
          <Status tone="ok">{t.models.testOk(format.number(result.latency_ms ?? 0), result.models.length)}</Status>
        )}
        {result?.ok === false && (
          <>
            <Status tone="bad">{t.models.testFailed}</Status>
            <Text size="xs" c="dimmed">
              {result.error?.detail} {result.error?.remedy}
            </Text>
          </>
        )}
      </span>
    </div>
  )
}

function DeleteProvider({ provider, onClose, onDeleted }: { provider: Provider; onClose: () => void; onDeleted: () => void }) {
  const { t } = useLanguage()
  const remove = useMutation({ mutationFn: () => deleteProvider(provider.id), onSuccess: onDeleted })
  return (
    <ConfirmByTyping
      title={t.models.deleteProviderTitle(provider.name)}
      text={t.models.deleteProviderText}
      word={provider.name}
      ask={t.models.deleteConfirm(provider.name)}
      action={t.models.delete}
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    />
  )
}
