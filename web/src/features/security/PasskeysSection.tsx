import { Button, Menu, Modal, Text, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconFingerprint, IconPencil, IconPlus, IconTrash } from '@tabler/icons-react'
import { useState } from 'react'
import { passkeyObstacle, removePasskey, renamePasskey } from '@/api/security'
import type { Passkey } from '@/api/types'
import { useLanguage } from '@/i18n'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { FormDialog } from '@/ui/FormDialog'
import { Section } from '@/ui/Page'
import { PasskeyObstacle } from '@/ui/PasskeyObstacle'
import { RowMenu } from '@/ui/RowMenu'
import { useToasts } from '@/ui/toasts'
import { AddPasskey } from './AddPasskey'
import { passkeysQuery } from './queries'

type Dialog = { kind: 'add' } | { kind: 'rename' | 'remove'; passkey: Passkey }

export function PasskeysSection() {
  const { t, format } = useLanguage()
  const toasts = useToasts()
  const client = useQueryClient()
  const list = useQuery(passkeysQuery)
  const [dialog, setDialog] = useState<Dialog | null>(null)
  const obstacle = passkeyObstacle()
  const done = async (text: string) => {
    setDialog(null)
    toasts.say(text)
    await client.invalidateQueries({ queryKey: ['security'] })
  }
  const columns: Column<Passkey>[] = [
    { key: 'name', header: t.security.passkeyName, cell: (passkey) => <Text size="sm" fw={500}>{passkey.name}</Text> },
    {
      key: 'kind',
      header: t.security.kind,
      wide: true,
      cell: (passkey) => (passkey.synced ? t.security.synced : t.security.oneDevice),
    },
    { key: 'created', header: t.security.created, wide: true, cell: (passkey) => format.date(passkey.created_at) },
    {
      key: 'used',
      header: t.security.lastUsed,
      cell: (passkey) => (passkey.last_used_at === null ? t.common.never : format.ago(passkey.last_used_at)),
    },
    {
      key: 'actions',
      header: t.common.actions,
      quiet: true,
      numeric: true,
      cell: (passkey) => (
        <RowMenu label={`${t.common.actions}: ${passkey.name}`}>
          <Menu.Item leftSection={<IconPencil size={16} />} onClick={() => setDialog({ kind: 'rename', passkey })}>
            {t.security.rename}
          </Menu.Item>
          <Menu.Item leftSection={<IconTrash size={16} />} onClick={() => setDialog({ kind: 'remove', passkey })}>
            {t.security.remove}
          </Menu.Item>
        </RowMenu>
      ),
    },
  ]
  return (
    <Section
      title={t.security.passkeys}
      action={
        obstacle === null ? (
          <Button size="xs" leftSection={<IconPlus size={15} />} onClick={() => setDialog({ kind: 'add' })}>
            {t.security.addPasskey}
          </Button>
        ) : null
      }
    >
      <Text size="sm" c="dimmed" mb="sm">
        {t.security.passkeysText}
      </Text>
      {obstacle !== null && <PasskeyObstacle obstacle={obstacle} path="/account/security" />}
      {list.isError ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        (obstacle === null || (list.data?.length ?? 0) > 0) && (
          <DataTable
            label={t.security.passkeys}
            columns={columns}
            rows={list.data}
            rowKey={({ id }) => id}
            empty={
              <EmptyState
                icon={<IconFingerprint size={20} />}
                title={t.security.noPasskeys}
                text={t.security.noPasskeysText}
              />
            }
          />
        )
      )}
      {dialog?.kind === 'add' && (
        <Modal
          opened
          onClose={() => setDialog(null)}
          title={t.security.addPasskey}
          closeButtonProps={{ 'aria-label': t.common.close }}
        >
          <AddPasskey onAdded={({ name }) => void done(t.security.passkeyAdded(name))} />
        </Modal>
      )}
      {dialog?.kind === 'rename' && (
        <RenameDialog passkey={dialog.passkey} onClose={() => setDialog(null)} onDone={() => void done(t.common.saved)} />
      )}
      {dialog?.kind === 'remove' && (
        <RemoveDialog
          passkey={dialog.passkey}
          onClose={() => setDialog(null)}
          onDone={() => void done(t.security.passkeyRemoved(dialog.passkey.name))}
        />
      )}
    </Section>
  )
}

interface PasskeyDialogProps {
  passkey: Passkey
  onClose: () => void
  onDone: () => void
}

function RenameDialog({ passkey, onClose, onDone }: PasskeyDialogProps) {
  const { t } = useLanguage()
  const [name, setName] = useState(passkey.name)
  const renaming = useMutation({ mutationFn: () => renamePasskey(passkey.id, name.trim()), onSuccess: onDone })
  return (
    <FormDialog
      title={t.security.rename}
      action={t.common.save}
      busy={renaming.isPending}
      ready={name.trim() !== ''}
      error={renaming.error}
      onSubmit={() => renaming.mutate()}
      onClose={onClose}
    >
      <TextInput
        label={t.security.passkeyName}
        maxLength={100}
        data-autofocus
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
    </FormDialog>
  )
}

function RemoveDialog({ passkey, onClose, onDone }: PasskeyDialogProps) {
  const { t } = useLanguage()
  const removing = useMutation({ mutationFn: () => removePasskey(passkey.id), onSuccess: onDone })
  return (
    <FormDialog
      title={t.security.removePasskeyTitle(passkey.name)}
      action={t.security.remove}
      busy={removing.isPending}
      error={removing.error}
      onSubmit={() => removing.mutate()}
      onClose={onClose}
    >
      <Text c="dimmed">{t.security.removePasskeyText}</Text>
    </FormDialog>
  )
}
