import { Button, Menu, Text, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query'
import {
  IconCoin,
  IconLogout,
  IconPencil,
  IconPlus,
  IconSearch,
  IconShieldOff,
  IconUserCheck,
  IconUserOff,
  IconUsers,
  IconUsersGroup,
} from '@tabler/icons-react'
import { useState } from 'react'
import { useSearchParams } from 'react-router'
import { changeUser, listUsers } from '@/api/identity'
import { pagesQuery } from '@/api/pages'
import { forceSignOut } from '@/api/security'
import type { User } from '@/api/types'
import { useLanguage } from '@/i18n'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Page } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { useMay, useSession } from '@/ui/session'
import { Status } from '@/ui/Status'
import { useToasts } from '@/ui/toasts'
import classes from './administration.module.css'
import { UserAccessDialog } from './access/UserAccessDialog'
import { CreateUserDialog, EditUserDialog } from './UserDialogs'
import { GrantDialog } from './GrantDialog'
import { DeletePersonDialog, ExportPersonDialog } from './PersonDataDialogs'
import { PersonMenuItems } from './PersonDataMenu'
import { ResetSecondFactorDialog } from './ResetSecondFactorDialog'

type Dialog = { kind: 'create' } | { kind: 'edit' | 'grant' | 'reset' | 'access' | 'export' | 'delete'; user: User }

export function UsersPage() {
  const { t, format } = useLanguage()
  const { user: me } = useSession()
  const may = useMay()
  const toasts = useToasts()
  const client = useQueryClient()
  const [params, setParams] = useSearchParams()
  const search = params.get('search') ?? ''
  const [typed, setTyped] = useState(search)
  const [dialog, setDialog] = useState<Dialog | null>(null)
  const list = useInfiniteQuery(pagesQuery(['users', search], (cursor, signal) => listUsers(search, cursor, signal)))
  const find = useDebouncedCallback((text: string) => {
    setParams(text.trim() === '' ? {} : { search: text.trim() }, { replace: true })
  }, 250)
  const setActive = useMutation({
    mutationFn: ({ user, active }: { user: User; active: boolean }) => changeUser(user.id, { active }),
    onSuccess: async (changed) => {
      if (changed.active) toasts.say(t.users.activated(changed.name))
      else toasts.say(t.users.deactivated(changed.name), () => setActive.mutate({ user: changed, active: true }))
      await client.invalidateQueries({ queryKey: ['users'] })
    },
    onError: toasts.fail,
  })

  const signOut = useMutation({
    mutationFn: (user: User) => forceSignOut(user.id),
    onSuccess: ({ ended }, user) => toasts.say(t.security.forcedOut(user.name, ended)),
    onError: toasts.fail,
  })

  const rolesOf = (user: User) => user.roles.map((role) => t.roles[role] ?? role).join(', ')
  const columns: Column<User>[] = [
    {
      key: 'name',
      header: t.users.name,
      cell: (user) => (
        <>
          <Text size="sm" fw={500}>
            {user.name}
            {user.id === me.id && <span className={classes.faint}> ({t.users.self})</span>}
          </Text>
          <Text size="xs" c="dimmed" className={classes.breakable}>
            {user.email}
          </Text>
          <Text size="xs" c="dimmed" hiddenFrom="sm">
            {rolesOf(user)}
            {!user.active && ` · ${t.users.inactive}`}
            {user.leaving_at !== null && ` · ${t.privacy.leaves(format.date(user.leaving_at))}`}
          </Text>
        </>
      ),
    },
    { key: 'roles', header: t.users.roles, wide: true, cell: rolesOf },
    {
      key: 'state',
      header: t.users.state,
      wide: true,
      cell: (user) =>
        user.leaving_at !== null ? (
          <Status tone="watch">{t.privacy.leaves(format.date(user.leaving_at))}</Status>
        ) : (
          <Status tone={user.active ? 'ok' : 'off'}>{user.active ? t.users.active : t.users.inactive}</Status>
        ),
    },
    { key: 'created', header: t.users.created, wide: true, cell: (user) => format.date(user.created_at) },
    {
      key: 'last',
      header: t.users.lastSignIn,
      wide: true,
      cell: (user) => (user.last_sign_in_at === null ? t.common.never : format.ago(user.last_sign_in_at)),
    },
    {
      key: 'actions',
      header: t.common.actions,
      quiet: true,
      numeric: true,
      cell: (user) =>
        may('users:update') || may('credits:adjust') || may('roles:read') ? (
          <RowMenu label={`${t.common.actions}: ${user.name}`}>
            {may('users:update') && (
              <Menu.Item leftSection={<IconPencil size={16} />} onClick={() => setDialog({ kind: 'edit', user })}>
                {t.users.edit}
              </Menu.Item>
            )}
            {may('roles:read') && (
              <Menu.Item
                leftSection={<IconUsersGroup size={16} />}
                onClick={() => setDialog({ kind: 'access', user })}
              >
                {t.access.ofUser}
              </Menu.Item>
            )}
            {may('credits:adjust') && (
              <Menu.Item leftSection={<IconCoin size={16} />} onClick={() => setDialog({ kind: 'grant', user })}>
                {t.users.grant}
              </Menu.Item>
            )}
            {may('users:update') && user.id !== me.id && (
              <>
                <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => signOut.mutate(user)}>
                  {t.security.forceSignOut}
                </Menu.Item>
                <Menu.Item leftSection={<IconShieldOff size={16} />} onClick={() => setDialog({ kind: 'reset', user })}>
                  {t.security.reset}
                </Menu.Item>
              </>
            )}
            {may('users:update') && user.id !== me.id && (
              <Menu.Item
                leftSection={user.active ? <IconUserOff size={16} /> : <IconUserCheck size={16} />}
                onClick={() => setActive.mutate({ user, active: !user.active })}
              >
                {user.active ? t.users.deactivate : t.users.activate}
              </Menu.Item>
            )}
            <PersonMenuItems user={user} onOpen={(kind) => setDialog({ kind, user })} />
          </RowMenu>
        ) : null,
    },
  ]

  return (
    <Page
      title={t.users.title}
      lead={t.users.lead}
      action={
        may('users:create') ? (
          <Button leftSection={<IconPlus size={16} />} onClick={() => setDialog({ kind: 'create' })}>
            {t.users.create}
          </Button>
        ) : null
      }
    >
      <TextInput
        type="search"
        mb="sm"
        maw={320}
        aria-label={t.users.search}
        placeholder={t.users.search}
        leftSection={<IconSearch size={15} />}
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value)
          find(event.currentTarget.value)
        }}
      />
      {list.isError && list.data === undefined ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        <DataTable
          label={t.users.title}
          columns={columns}
          rows={list.data?.pages.flatMap(({ items }) => items)}
          rowKey={({ id }) => id}
          empty={<EmptyState icon={<IconUsers size={20} />} title={t.users.emptyTitle} text={t.users.emptyText} />}
          more={{ has: list.hasNextPage, loading: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
        />
      )}
      {dialog?.kind === 'create' && <CreateUserDialog onClose={() => setDialog(null)} />}
      {dialog?.kind === 'edit' && <EditUserDialog user={dialog.user} onClose={() => setDialog(null)} />}
      {dialog?.kind === 'reset' && <ResetSecondFactorDialog user={dialog.user} onClose={() => setDialog(null)} />}
      {dialog?.kind === 'export' && <ExportPersonDialog user={dialog.user} onClose={() => setDialog(null)} />}
      {dialog?.kind === 'delete' && <DeletePersonDialog user={dialog.user} onClose={() => setDialog(null)} />}
      {dialog?.kind === 'access' && <UserAccessDialog user={dialog.user} onClose={() => setDialog(null)} />}
      {dialog?.kind === 'grant' && <GrantDialog user={dialog.user} onClose={() => setDialog(null)} />}
    </Page>
  )
}
