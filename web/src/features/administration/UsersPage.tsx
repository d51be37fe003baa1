import { Button, Checkbox, Group, Menu, Text, UnstyledButton } from '@mantine/core'
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query'
import {
  IconCoin,
  IconDownload,
  IconEye,
  IconLogout,
  IconPencil,
  IconPlus,
  IconShieldOff,
  IconUserCheck,
  IconUserOff,
  IconUsers,
  IconUsersGroup,
} from '@tabler/icons-react'
import { useState } from 'react'
import { useSearchParams } from 'react-router'
import { changeUser } from '@/api/identity'
import { pagesQuery } from '@/api/pages'
import { exportAddress, listPeople, type PeopleFilter, type Person } from '@/api/people'
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
import { Chosen } from './people/Chosen'
import { NOBODY_LEFT_OUT, PeopleFilters } from './people/PeopleFilters'
import { PeopleFigures } from './people/PeopleFigures'
import { PersonDrawer } from './people/PersonDrawer'
import { DeletePersonDialog, ExportPersonDialog } from './PersonDataDialogs'
import { PersonMenuItems } from './PersonDataMenu'
import { ResetSecondFactorDialog } from './ResetSecondFactorDialog'
import { usePeopleWords } from './people/words'

type Dialog =
  | { kind: 'create' }
  | { kind: 'edit' | 'grant' | 'reset' | 'access' | 'export' | 'delete' | 'look'; user: Person }

export function UsersPage() {
  const { t, format } = useLanguage()
  const w = usePeopleWords()
  const { user: me } = useSession()
  const may = useMay()
  const toasts = useToasts()
  const client = useQueryClient()
  const [params, setParams] = useSearchParams()
  const filter = Object.fromEntries(
    Object.keys(NOBODY_LEFT_OUT).map((name) => [name, params.get(name) ?? '']),
  ) as unknown as PeopleFilter
  const [chosen, setChosen] = useState<string[]>([])
  const [dialog, setDialog] = useState<Dialog | null>(null)
  const list = useInfiniteQuery(
    pagesQuery(['users', 'list', filter], (cursor, signal) => listPeople(filter, cursor, signal)),
  )
  const people = list.data?.pages.flatMap(({ items }) => items)
  const narrow = (changed: Partial<PeopleFilter>) => {
    setChosen([])
    setParams(
      (before) => {
        const after = new URLSearchParams(before)
        for (const [name, value] of Object.entries(changed)) {
          if (value === '') after.delete(name)
          else after.set(name, value)
        }
        return after
      },
      { replace: true },
    )
  }
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
  const others = (people ?? []).filter(({ id }) => id !== me.id)
  const choose: Column<Person>[] = may('users:update')
    ? [
        {
          key: 'choose',
          header: w.people.selectAll,
          quiet: true,
          width: '40px',
          cell: (user) =>
            user.id === me.id ? null : (
              <Checkbox
                aria-label={w.people.select(user.name || user.email)}
                checked={chosen.includes(user.id)}
                onChange={(event) => {
                  const is = event.currentTarget.checked
                  setChosen((before) => (is ? [...before, user.id] : before.filter((id) => id !== user.id)))
                }}
              />
            ),
        },
      ]
    : []
  const columns: Column<Person>[] = [
    ...choose,
    {
      key: 'name',
      header: t.users.name,
      cell: (user) => (
        <>
          <UnstyledButton onClick={() => setDialog({ kind: 'look', user })}>
            <Text size="sm" fw={500}>
              {user.name || user.email}
              {user.id === me.id && <span className={classes.faint}> ({t.users.self})</span>}
            </Text>
          </UnstyledButton>
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
    {
      key: 'last',
      header: t.users.lastSignIn,
      wide: true,
      cell: (user) => (user.last_sign_in_at === null ? t.common.never : format.ago(user.last_sign_in_at)),
    },
    { key: 'keys', header: w.people.keys, numeric: true, wide: true, cell: ({ keys }) => format.number(keys) },
    ...(may('credits:adjust')
      ? [
          {
            key: 'usage',
            header: w.people.usage,
            wide: true,
            width: '10.5rem',
            cell: ({ usage }: Person) =>
              usage === null ? '–' : w.people.usageOf(format.credits(usage.spent), format.number(usage.calls)),
          },
        ]
      : []),
    {
      key: 'actions',
      header: t.common.actions,
      quiet: true,
      numeric: true,
      cell: (user) =>
        may('users:update') || may('credits:adjust') || may('roles:read') ? (
          <RowMenu label={`${t.common.actions}: ${user.name}`}>
            <Menu.Item leftSection={<IconEye size={16} />} onClick={() => setDialog({ kind: 'look', user })}>
              {w.people.open}
            </Menu.Item>
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
        <Group gap="xs">
          <Button
            component="a"
            variant="default"
            href={exportAddress(filter)}
            download
            leftSection={<IconDownload size={16} />}
          >
            {w.people.export}
          </Button>
          {may('users:create') && (
            <Button leftSection={<IconPlus size={16} />} onClick={() => setDialog({ kind: 'create' })}>
              {t.users.create}
            </Button>
          )}
        </Group>
      }
    >
      <PeopleFigures />
      <PeopleFilters value={filter} onChange={narrow} />
      {may('users:update') && others.length > 1 && (
        <Checkbox
          mb="xs"
          label={w.people.selectAll}
          checked={chosen.length > 0 && others.every(({ id }) => chosen.includes(id))}
          indeterminate={chosen.length > 0 && !others.every(({ id }) => chosen.includes(id))}
          onChange={(event) => setChosen(event.currentTarget.checked ? others.map(({ id }) => id) : [])}
        />
      )}
      {list.isError && list.data === undefined ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        <DataTable
          label={t.users.title}
          columns={columns}
          rows={people}
          rowKey={({ id }) => id}
          empty={<EmptyState icon={<IconUsers size={20} />} title={t.users.emptyTitle} text={t.users.emptyText} />}
          more={{ has: list.hasNextPage, loading: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
        />
      )}
      {chosen.length > 0 && <Chosen ids={chosen} onClear={() => setChosen([])} />}
      {dialog?.kind === 'look' && <PersonDrawer person={dialog.user} onClose={() => setDialog(null)} />}
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
