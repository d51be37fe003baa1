import { Button, Menu, Text, UnstyledButton } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconEye, IconPencil, IconPlus, IconTrash, IconUsers, IconUsersGroup } from '@tabler/icons-react'
import { useState } from 'react'
import { deleteRole, rolesQuery, type Role } from '@/api/access'
import { useLanguage } from '@/i18n'
import { ConfirmByTyping } from '@/ui/ConfirmByTyping'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Page } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { useMay } from '@/ui/session'
import { useToasts } from '@/ui/toasts'
import classes from './access.module.css'
import { RoleDialog } from './RoleDialog'
import { RolePeopleDialog } from './RolePeopleDialog'
import { roleWord } from './words'

type Dialog = { kind: 'create' } | { kind: 'edit' | 'people' | 'delete'; role: Role }

export function RolesPage() {
  const { t } = useLanguage()
  const may = useMay()
  const list = useQuery(rolesQuery)
  const [dialog, setDialog] = useState<Dialog | null>(null)
  const close = () => setDialog(null)
  const word = (role: Role) => roleWord(t, role.name, role.title)
  const parentOf = (role: Role) => list.data?.items.find(({ name }) => name === role.parent)
  const keeps = may('roles:manage')

  const columns: Column<Role>[] = [
    {
      key: 'role',
      header: t.access.role,
      cell: (role) => (
        <>
          <Text size="sm" fw={500} className={classes.breakable}>
            {word(role)} {role.built_in && <span className={classes.tag}>{t.access.builtIn}</span>}
          </Text>
          <Text size="xs" c="dimmed" className={classes.breakable}>
            {role.name}
          </Text>
          <Text size="xs" c="dimmed" hiddenFrom="sm">
            {t.access.mayCount(role.permissions.length)}
          </Text>
        </>
      ),
    },
    {
      key: 'parent',
      header: t.access.inherits,
      wide: true,
      cell: (role) => {
        const parent = parentOf(role)
        return parent === undefined ? '–' : word(parent)
      },
    },
    { key: 'may', header: t.access.may, wide: true, cell: (role) => t.access.mayCount(role.permissions.length) },
    {
      key: 'people',
      header: t.access.people,
      cell: (role) =>
        may('users:read') && role.people > 0 ? (
          <UnstyledButton fz="sm" td="underline" onClick={() => setDialog({ kind: 'people', role })}>
            {t.access.peopleCount(role.people)}
          </UnstyledButton>
        ) : (
          t.access.peopleCount(role.people)
        ),
    },
    {
      key: 'actions',
      header: t.common.actions,
      quiet: true,
      numeric: true,
      cell: (role) => (
        <RowMenu label={`${t.common.actions}: ${word(role)}`}>
          <Menu.Item
            leftSection={keeps ? <IconPencil size={16} /> : <IconEye size={16} />}
            onClick={() => setDialog({ kind: 'edit', role })}
          >
            {keeps ? t.access.edit : t.access.look}
          </Menu.Item>
          {may('users:read') && (
            <Menu.Item leftSection={<IconUsers size={16} />} onClick={() => setDialog({ kind: 'people', role })}>
              {t.access.people}
            </Menu.Item>
          )}
          {keeps && !role.built_in && (
            <Menu.Item
              color="var(--hub-bad)"
              leftSection={<IconTrash size={16} />}
              onClick={() => setDialog({ kind: 'delete', role })}
            >
              {t.access.delete}
            </Menu.Item>
          )}
        </RowMenu>
      ),
    },
  ]

  return (
    <Page
      title={t.access.title}
      lead={t.access.lead}
      action={
        keeps ? (
          <Button
            leftSection={<IconPlus size={16} />}
            disabled={list.data === undefined}
            onClick={() => setDialog({ kind: 'create' })}
          >
            {t.access.create}
          </Button>
        ) : null
      }
    >
      {list.isError && list.data === undefined ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        <DataTable
          label={t.access.title}
          columns={columns}
          rows={list.data?.items}
          rowKey={({ id }) => id}
          empty={<EmptyState icon={<IconUsersGroup size={20} />} title={t.access.title} text={t.access.lead} />}
        />
      )}
      {dialog?.kind === 'create' && <RoleDialog of={null} roles={list.data?.items ?? []} onClose={close} />}
      {dialog?.kind === 'edit' && <RoleDialog of={dialog.role} roles={list.data?.items ?? []} onClose={close} />}
      {dialog?.kind === 'people' && <RolePeopleDialog of={dialog.role} onClose={close} />}
      {dialog?.kind === 'delete' && <DeleteRole of={dialog.role} onClose={close} />}
    </Page>
  )
}

function DeleteRole({ of: role, onClose }: { of: Role; onClose: () => void }) {
  const { t } = useLanguage()
  const client = useQueryClient()
  const toasts = useToasts()
  const remove = useMutation({
    mutationFn: () => deleteRole(role.id),
    onSuccess: async () => {
      toasts.say(t.access.deleted(role.title))
      onClose()
      await client.invalidateQueries({ queryKey: ['roles'] })
    },
  })
  return (
    <ConfirmByTyping
      title={t.access.deleteTitle(role.title)}
      text={t.access.deleteText}
      word={role.name}
      ask={t.access.deleteAsk(role.name)}
      action={t.access.delete}
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    />
  )
}
