import { Menu, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconBoxModel2, IconLock, IconPencil, IconPower, IconTrash } from '@tabler/icons-react'
import { useState } from 'react'
import { changeModel, deleteModel } from '@/api/gateway'
import { modelsQuery } from '@/api/queries'
import type { Model, ModelState } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ConfirmByTyping } from '@/ui/ConfirmByTyping'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Section } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { useMay } from '@/ui/session'
import { Status, type Tone } from '@/ui/Status'
import { useToasts } from '@/ui/toasts'
import classes from './administration.module.css'
import { ModelAccessDialog } from './access/ModelAccessDialog'
import { ModelDialog } from './ModelDialog'

const TONES: Record<ModelState, Tone> = {
  ready: 'ok',
  loading: 'info',
  downloading: 'info',
  failed: 'bad',
  stopped: 'off',
  unknown: 'off',
}

export function ModelsSection() {
  const { t, format } = useLanguage()
  const may = useMay()
  const client = useQueryClient()
  const toasts = useToasts()
  const [dialog, setDialog] = useState<{ kind: 'edit' | 'delete' | 'access'; model: Model } | null>(null)
  const list = useQuery(modelsQuery)
  const refresh = () => client.invalidateQueries({ queryKey: ['models'] })
  const power = useMutation({
    mutationFn: (model: Model) => changeModel(model.id, { enabled: !model.enabled }),
    onSuccess: refresh,
    onError: toasts.fail,
  })

  const columns: Column<Model>[] = [
    {
      key: 'name',
      header: t.models.name,
      cell: (model) => (
        <>
          <Text size="sm" fw={500} className={classes.breakable}>
            {model.name} {model.restricted && <span className={classes.demo}>{t.access.restricted}</span>}{' '}
            {model.demonstration && <span className={classes.demo}>{t.chat.demonstration}</span>}
          </Text>
          <Text size="xs" c="dimmed">
            {[
              model.provider_name === 'embedded' ? t.models.kinds.embedded : model.provider_name,
              ...model.aliases,
            ].join(' · ')}
          </Text>
        </>
      ),
    },
    { key: 'kind', header: t.models.kind, wide: true, cell: (model) => t.models.modelKinds[model.kind] },
    {
      key: 'context',
      header: t.models.context,
      numeric: true,
      wide: true,
      cell: (model) => format.number(model.context_length),
    },
    {
      key: 'price',
      header: t.models.pricesHint,
      numeric: true,
      wide: true,
      cell: (model) =>
        Number(model.input_price) === 0 && Number(model.output_price) === 0 && Number(model.request_price) === 0
          ? t.models.free
          : `${format.credits(model.input_price)} / ${format.credits(model.output_price)}`,
    },
    {
      key: 'state',
      header: t.models.state,
      cell: (model) =>
        model.enabled ? (
          <Status tone={TONES[model.state]}>{t.models.states[model.state]}</Status>
        ) : (
          <Status tone="off">{t.models.disabled}</Status>
        ),
    },
    {
      key: 'actions',
      header: t.common.actions,
      quiet: true,
      numeric: true,
      cell: (model) =>
        may('models:manage') && (
          <RowMenu label={`${t.common.actions}: ${model.name}`}>
            <Menu.Item leftSection={<IconPencil size={16} />} onClick={() => setDialog({ kind: 'edit', model })}>
              {t.models.edit}
            </Menu.Item>
            {may('models:share') && (
              <Menu.Item leftSection={<IconLock size={16} />} onClick={() => setDialog({ kind: 'access', model })}>
                {t.access.modelAccess}
              </Menu.Item>
            )}
            <Menu.Item leftSection={<IconPower size={16} />} onClick={() => power.mutate(model)}>
              {model.enabled ? t.models.disable : t.models.enable}
            </Menu.Item>
            {!model.demonstration && (
              <Menu.Item
                color="var(--hub-bad)"
                leftSection={<IconTrash size={16} />}
                onClick={() => setDialog({ kind: 'delete', model })}
              >
                {t.models.delete}
              </Menu.Item>
            )}
          </RowMenu>
        ),
    },
  ]

  return (
    <Section title={t.models.models}>
      {list.isError && list.data === undefined ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        <DataTable
          label={t.models.models}
          columns={columns}
          rows={list.data?.items}
          rowKey={({ id }) => id}
          empty={
            <EmptyState
              icon={<IconBoxModel2 size={20} />}
              title={t.models.emptyModels}
              text={t.models.emptyModelsText}
            />
          }
        />
      )}
      {dialog?.kind === 'edit' && <ModelDialog model={dialog.model} onClose={() => setDialog(null)} />}
      {dialog?.kind === 'access' && <ModelAccessDialog model={dialog.model} onClose={() => setDialog(null)} />}
      {dialog?.kind === 'delete' && (
        <DeleteModel
          model={dialog.model}
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

function DeleteModel({ model, onClose, onDeleted }: { model: Model; onClose: () => void; onDeleted: () => void }) {
  const { t } = useLanguage()
  const remove = useMutation({ mutationFn: () => deleteModel(model.id), onSuccess: onDeleted })
  return (
    <ConfirmByTyping
      title={t.models.deleteProviderTitle(model.name)}
      text={t.models.deleteModelText}
      word={model.name}
      ask={t.models.deleteConfirm(model.name)}
      action={t.models.delete}
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    />
  )
}
