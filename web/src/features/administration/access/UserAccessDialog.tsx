import { Button, Group, Modal, Select, Skeleton, Stack, Tabs, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { giveRole, listUserRoles, rolesQuery, takeRole, type RoleGrant } from '@/api/access'
import { Problem } from '@/api/client'
import type { User } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { useMay, useSession } from '@/ui/session'
import { useToasts } from '@/ui/toasts'
import classes from './access.module.css'
import { FOR_GOOD, Until, wishOf } from './Until'
import { Why } from './Why'
import { givenWords, roleWord } from './words'

/** What one person may do: their roles, until when, and why they may do a certain thing. */
export function UserAccessDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useLanguage()
  const { user: me } = useSession()
  const may = useMay()
  const gives = may('roles:assign') && user.id !== me.id
  return (
    <Modal
      opened
      onClose={onClose}
      size={560}
      title={t.access.ofUserTitle(user.name || user.email)}
      closeButtonProps={{ 'aria-label': t.common.close }}
    >
      <Tabs defaultValue="roles" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="roles">{t.access.has}</Tabs.Tab>
          <Tabs.Tab value="why">{t.access.why}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="roles">
          <Stack gap="lg">
            <Grants user={user} gives={gives} />
            {gives && <Give user={user} />}
            {may('roles:assign') && !gives && (
              <Text size="sm" c="dimmed">
                {t.access.ownRoles}
              </Text>
            )}
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="why">
          <Why user={user} />
        </Tabs.Panel>
      </Tabs>
    </Modal>
  )
}

function useRefresh(user: User): () => Promise<void> {
  const client = useQueryClient()
  return async () => {
    await Promise.all([
      client.invalidateQueries({ queryKey: ['users'] }),
      client.invalidateQueries({ queryKey: ['roles'] }),
      client.invalidateQueries({ queryKey: ['user-roles', user.id] }),
    ])
  }
}

function Grants({ user, gives }: { user: User; gives: boolean }) {
  const { t, format } = useLanguage()
  const toasts = useToasts()
  const refresh = useRefresh(user)
  const list = useQuery({
    queryKey: ['user-roles', user.id],
    queryFn: ({ signal }) => listUserRoles(user.id, signal),
  })
  const again = useMutation({
    mutationFn: (grant: RoleGrant) =>
      giveRole(user.id, { role_id: grant.role_id, expires_at: grant.expires_at, reason: grant.reason }),
    onSuccess: refresh,
    onError: toasts.fail,
  })
  const take = useMutation({
    mutationFn: (grant: RoleGrant) => takeRole(user.id, grant.role_id),
    onSuccess: async (_nothing, grant) => {
      const word = roleWord(t, grant.role, grant.title)
      // What has ended in the meantime cannot be given back as it was.
      toasts.say(t.access.taken(word, user.name || user.email), grant.expired ? undefined : () => again.mutate(grant))
      await refresh()
    },
    onError: toasts.fail,
  })
  if (list.isError && list.data === undefined) {
    return <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />
  }
  if (list.data === undefined) return <Skeleton height={96} radius="md" />
  if (list.data.items.length === 0) {
    return (
      <div>
        <Text fw={600}>{t.access.hasNone}</Text>
        <Text size="sm" c="dimmed">
          {t.access.hasNoneText}
        </Text>
      </div>
    )
  }
  return (
    <ul className={classes.list}>
      {list.data.items.map((grant) => (
        <li key={grant.role_id} className={classes.item} data-ended={grant.expired || undefined}>
          <div className={classes.breakable}>
            <Text size="sm" fw={500}>
              {roleWord(t, grant.role, grant.title)}{' '}
              {grant.expired && <span className={classes.tag}>{t.access.ended}</span>}
            </Text>
            <Text size="xs" c="dimmed">
              {givenWords(t, format, grant)}
            </Text>
          </div>
          {gives && !grant.expired && (
            <Button
              size="xs"
              variant="default"
              aria-label={`${t.access.take}: ${roleWord(t, grant.role, grant.title)}`}
              loading={take.isPending && take.variables.role_id === grant.role_id}
              onClick={() => take.mutate(grant)}
            >
              {t.access.take}
            </Button>
          )}
        </li>
      ))}
    </ul>
  )
}

function Give({ user }: { user: User }) {
  const { t } = useLanguage()
  const may = useMay()
  const toasts = useToasts()
  const refresh = useRefresh(user)
  const roles = useQuery(rolesQuery)
  const [roleId, setRoleId] = useState<string | null>(null)
  const [term, setTerm] = useState(FOR_GOOD)
  const give = useMutation({
    mutationFn: (role: string) => giveRole(user.id, { role_id: role, ...wishOf(term) }),
    onSuccess: async (grant) => {
      toasts.say(t.access.given(roleWord(t, grant.role, grant.title), user.name || user.email))
      setRoleId(null)
      setTerm(FOR_GOOD)
      await refresh()
    },
  })
  const problem = give.error instanceof Problem ? give.error : null
  return (
    <form
      aria-label={t.access.give}
      onSubmit={(event) => {
        event.preventDefault()
        if (roleId !== null && !give.isPending) give.mutate(roleId)
      }}
    >
      <Stack gap="sm">
        <Select
          label={t.access.give}
          placeholder={t.access.role}
          data={(roles.data?.items ?? []).map((role) => ({
            value: role.id,
            label: roleWord(t, role.name, role.title),
            disabled: !role.permissions.every(may),
          }))}
          value={roleId}
          onChange={setRoleId}
        />
        <Until value={term} error={problem?.fieldError('expires_at')} onChange={setTerm} />
        {give.error !== null && <ErrorPanel error={give.error} compact />}
        <Group justify="flex-end">
          <Button type="submit" disabled={roleId === null} loading={give.isPending}>
            {t.access.giveAction}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
