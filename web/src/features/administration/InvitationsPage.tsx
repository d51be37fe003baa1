import { Button, Group, Menu, Select, Text, TextInput } from '@mantine/core'
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query'
import { IconFileSpreadsheet, IconMailForward, IconMailOff, IconMailPlus } from '@tabler/icons-react'
import { useState } from 'react'
import { Problem } from '@/api/client'
import { inviteOne, listInvitations, resendInvitation, revokeInvitation, type Invitation } from '@/api/mail'
import { pagesQuery } from '@/api/pages'
import type { Locale } from '@/api/types'
import { useLanguage } from '@/i18n'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { FormDialog } from '@/ui/FormDialog'
import { Page } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { useMay } from '@/ui/session'
import { Status } from '@/ui/Status'
import { useToasts } from '@/ui/toasts'
import classes from './administration.module.css'
import { InviteListDialog } from './people/InviteListDialog'
import { RolesField } from './UserDialogs'
import { usePeopleWords } from './people/words'

export function InvitationsPage() {
  const { t, format } = useLanguage()
  const w = usePeopleWords()
  const client = useQueryClient()
  const toasts = useToasts()
  const [inviting, setInviting] = useState(false)
  const [listing, setListing] = useState(false)
  const list = useInfiniteQuery(pagesQuery(['invitations'], listInvitations))
  const refresh = () => client.invalidateQueries({ queryKey: ['invitations'] })
  const resend = useMutation({
    mutationFn: (invitation: Invitation) => resendInvitation(invitation.id),
    onSuccess: async ({ email }) => {
      toasts.say(t.invitations.resent(email))
      await refresh()
    },
    onError: toasts.fail,
  })
  const revoke = useMutation({
    mutationFn: (invitation: Invitation) => revokeInvitation(invitation.id),
    onSuccess: async (_, { email }) => {
      toasts.say(t.invitations.revoked(email))
      await refresh()
    },
    onError: toasts.fail,
  })

  const rolesOf = (invitation: Invitation) => invitation.roles.map((role) => t.roles[role] ?? role).join(', ')
  const columns: Column<Invitation>[] = [
    {
      key: 'email',
      header: t.invitations.email,
      cell: (invitation) => (
        <>
          <Text size="sm" fw={500} className={classes.breakable}>
            {invitation.email}
          </Text>
          {invitation.name !== '' && (
            <Text size="xs" c="dimmed">
              {invitation.name}
            </Text>
          )}
          <Text size="xs" c="dimmed" hiddenFrom="sm">
            {rolesOf(invitation)}
            {invitation.expired && ` · ${t.invitations.expired}`}
          </Text>
        </>
      ),
    },
    { key: 'roles', header: t.users.roles, wide: true, cell: rolesOf },
    { key: 'by', header: t.invitations.invitedBy, wide: true, cell: ({ invited_by }) => invited_by ?? '–' },
    {
      key: 'until',
      header: t.invitations.until,
      wide: true,
      cell: (invitation) =>
        invitation.expired ? (
          <Status tone="off">{t.invitations.expired}</Status>
        ) : (
          format.dateTime(invitation.expires_at)
        ),
    },
    {
      key: 'actions',
      header: t.common.actions,
      quiet: true,
      numeric: true,
      cell: (invitation) => (
        <RowMenu label={`${t.common.actions}: ${invitation.email}`}>
          <Menu.Item leftSection={<IconMailForward size={16} />} onClick={() => resend.mutate(invitation)}>
            {t.invitations.resend}
          </Menu.Item>
          <Menu.Item leftSection={<IconMailOff size={16} />} onClick={() => revoke.mutate(invitation)}>
            {t.invitations.revoke}
          </Menu.Item>
        </RowMenu>
      ),
    },
  ]
  const invite = (
    <Button leftSection={<IconMailPlus size={16} />} onClick={() => setInviting(true)}>
      {t.invitations.invite}
    </Button>
  )

  return (
    <Page title={t.invitations.title} lead={t.invitations.lead} action={
        <Group gap="xs">
          <Button
            variant="default"
            leftSection={<IconFileSpreadsheet size={16} />}
            onClick={() => setListing(true)}
          >
            {w.people.inList}
          </Button>
          {invite}
        </Group>
      }>
      {list.isError && list.data === undefined ? (
        <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
      ) : (
        <DataTable
          label={t.invitations.title}
          columns={columns}
          rows={list.data?.pages.flatMap(({ items }) => items)}
          rowKey={({ id }) => id}
          empty={
            <EmptyState
              icon={<IconMailPlus size={20} />}
              title={t.invitations.emptyTitle}
              text={t.invitations.emptyText}
            />
          }
          more={{ has: list.hasNextPage, loading: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
        />
      )}
      {listing && <InviteListDialog onClose={() => setListing(false)} />}
      {inviting && <InviteDialog onClose={() => setInviting(false)} />}
    </Page>
  )
}

function InviteDialog({ onClose }: { onClose: () => void }) {
  const { t, locale } = useLanguage()
  const client = useQueryClient()
  const toasts = useToasts()
  const may = useMay()
  const [email, setEmail] = useState('')
  const [name, setName] = useState('')
  const [roles, setRoles] = useState(['user'])
  const [language, setLanguage] = useState<Locale>(locale)
  const invite = useMutation({
    mutationFn: () =>
      inviteOne({
        email: email.trim(),
        name: name.trim(),
        roles: may('roles:assign') ? roles : ['user'],
        locale: language,
      }),
    onSuccess: async (made) => {
      toasts.say(t.invitations.sent(made.email))
      onClose()
      await client.invalidateQueries({ queryKey: ['invitations'] })
    },
  })
  const problem = invite.error instanceof Problem ? invite.error : null
  return (
    <FormDialog
      title={t.invitations.inviteTitle}
      action={t.invitations.invite}
      busy={invite.isPending}
      ready={email.trim() !== ''}
      error={invite.error}
      onSubmit={() => invite.mutate()}
      onClose={onClose}
    >
      <Text size="sm" c="dimmed">
        {t.invitations.inviteText}
      </Text>
      <TextInput
        label={t.invitations.email}
        type="email"
        data-autofocus
        autoComplete="off"
        value={email}
        error={problem?.fieldError('email')}
        onChange={(event) => setEmail(event.currentTarget.value)}
      />
      <TextInput
        label={t.invitations.name}
        description={t.invitations.nameHint}
        autoComplete="off"
        value={name}
        error={problem?.fieldError('name')}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <RolesField value={roles} onChange={setRoles} />
      <Select
        label={t.invitations.language}
        allowDeselect={false}
        data={[
          { value: 'en', label: 'English' },
          { value: 'fr', label: 'Français' },
        ]}
        value={language}
        onChange={(value) => setLanguage(value ?? 'en')}
      />
    </FormDialog>
  )
}
