import { Button, Group, Modal, SegmentedControl, Select, Skeleton, Stack, Switch, Text, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { listModelGrants, rolesQuery, shareModel, unshareModel, type ModelGrant, type ModelGrantWish } from '@/api/access'
import { Problem } from '@/api/client'
import { changeModel } from '@/api/gateway'
import type { Model } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { useMay } from '@/ui/session'
import { useToasts } from '@/ui/toasts'
import classes from './access.module.css'
import { FOR_GOOD, Until, wishOf } from './Until'
import { givenWords, roleWord } from './words'

/** Whether a model is for everybody, and if not, for whom. */
export function ModelAccessDialog({ model, onClose }: { model: Model; onClose: () => void }) {
  const { t } = useLanguage()
  const may = useMay()
  const client = useQueryClient()
  const toasts = useToasts()
  const [restricted, setRestricted] = useState(model.restricted)
  const restrict = useMutation({
    mutationFn: (wanted: boolean) => changeModel(model.id, { restricted: wanted }),
    onSuccess: async (changed) => {
      setRestricted(changed.restricted)
      await client.invalidateQueries({ queryKey: ['models'] })
    },
    onError: toasts.fail,
  })
  const shown = restrict.isPending ? restrict.variables : restricted
  return (
    <Modal
      opened
      onClose={onClose}
      size={560}
      title={t.access.modelAccessTitle(model.name)}
      closeButtonProps={{ 'aria-label': t.common.close }}
    >
      <Stack gap="lg">
        <Switch
          label={t.access.restrict}
          description={shown ? t.access.restrictHint : t.access.openToAll}
          checked={shown}
          disabled={!may('models:manage') || restrict.isPending}
          onChange={(event) => restrict.mutate(event.currentTarget.checked)}
        />
        {restricted && (
          <>
            <Grants model={model} />
            <Share model={model} />
          </>
        )}
      </Stack>
    </Modal>
  )
}

function useRefresh(model: Model): () => Promise<void> {
  const client = useQueryClient()
  return () => client.invalidateQueries({ queryKey: ['model-grants', model.id] })
}

function Grants({ model }: { model: Model }) {
  const { t, format } = useLanguage()
  const toasts = useToasts()
  const refresh = useRefresh(model)
  const list = useQuery({
    queryKey: ['model-grants', model.id],
    queryFn: ({ signal }) => listModelGrants(model.id, signal),
  })
  const who = (grant: ModelGrant) =>
    grant.role === null ? grant.name || (grant.email ?? '') : `${t.access.aRole}: ${roleWord(t, grant.role)}`
  const take = useMutation({
    mutationFn: (grant: ModelGrant) => unshareModel(model.id, grant.id),
    onSuccess: async (_nothing, grant) => {
      toasts.say(t.access.unshared(who(grant), model.name))
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
        <Text fw={600}>{t.access.modelNobody}</Text>
        <Text size="sm" c="dimmed">
          {t.access.modelNobodyText}
        </Text>
      </div>
    )
  }
  return (
    <ul className={classes.list}>
      {list.data.items.map((grant) => (
        <li key={grant.id} className={classes.item} data-ended={grant.expired || undefined}>
          <div className={classes.breakable}>
            <Text size="sm" fw={500}>
              {who(grant)} {grant.expired && <span className={classes.tag}>{t.access.ended}</span>}
            </Text>
            <Text size="xs" c="dimmed">
              {[
                grant.permission === 'models:share' ? t.access.mayShare : t.access.mayUse,
                givenWords(t, format, grant),
              ].join(' · ')}
            </Text>
          </div>
          <Button
            size="xs"
            variant="default"
            aria-label={`${t.access.take}: ${who(grant)}`}
            loading={take.isPending && take.variables.id === grant.id}
            onClick={() => take.mutate(grant)}
          >
            {t.access.take}
          </Button>
        </li>
      ))}
    </ul>
  )
}

function Share({ model }: { model: Model }) {
  const { t } = useLanguage()
  const may = useMay()
  const toasts = useToasts()
  const refresh = useRefresh(model)
  const roles = useQuery({ ...rolesQuery, enabled: may('roles:read') })
  const [to, setTo] = useState<'person' | 'role'>('person')
  const [email, setEmail] = useState('')
  const [role, setRole] = useState<string | null>(null)
  const [permission, setPermission] = useState<ModelGrantWish['permission']>('models:use')
  const [term, setTerm] = useState(FOR_GOOD)
  const ready = to === 'person' ? email.trim() !== '' : role !== null
  const share = useMutation({
    mutationFn: () =>
      shareModel(model.id, {
        permission,
        ...(to === 'person' ? { email: email.trim() } : { role: role ?? '' }),
        ...wishOf(term),
      }),
    onSuccess: async (grant) => {
      toasts.say(t.access.shared(grant.name || (grant.email ?? roleWord(t, grant.role ?? '')), model.name))
      setEmail('')
      setRole(null)
      setTerm(FOR_GOOD)
      await refresh()
    },
  })
  const problem = share.error instanceof Problem ? share.error : null
  return (
    <form
      aria-label={t.access.addTo}
      onSubmit={(event) => {
        event.preventDefault()
        if (ready && !share.isPending) share.mutate()
      }}
    >
      <Stack gap="sm">
        <Text fw={600}>{t.access.addTo}</Text>
        {may('roles:read') && (
          <SegmentedControl
            fullWidth
            value={to}
            onChange={(value) => setTo(value === 'role' ? 'role' : 'person')}
            data={[
              { value: 'person', label: t.access.person },
              { value: 'role', label: t.access.aRole },
            ]}
          />
        )}
        {to === 'person' ? (
          <TextInput
            type="email"
            label={t.access.person}
            description={t.access.personHint}
            autoComplete="off"
            value={email}
            error={problem?.fieldError('email')}
            onChange={(event) => setEmail(event.currentTarget.value)}
          />
        ) : (
          <Select
            label={t.access.role}
            data={(roles.data?.items ?? []).map(({ name, title }) => ({ value: name, label: roleWord(t, name, title) }))}
            value={role}
            error={problem?.fieldError('role')}
            onChange={setRole}
          />
        )}
        <Select
          label={t.access.may}
          allowDeselect={false}
          data={[
            { value: 'models:use', label: t.access.mayUse },
            { value: 'models:share', label: t.access.mayShare },
          ]}
          value={permission}
          onChange={(value) => setPermission(value === 'models:share' ? 'models:share' : 'models:use')}
        />
        <Until value={term} error={problem?.fieldError('expires_at')} onChange={setTerm} />
        {share.error !== null && <ErrorPanel error={share.error} compact />}
        <Group justify="flex-end">
          <Button type="submit" disabled={!ready} loading={share.isPending}>
            {t.access.giveAction}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
