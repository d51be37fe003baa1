import { MultiSelect, Text, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Problem } from '@/api/client'
import { changeUser, createUser, listRoles } from '@/api/identity'
import type { User } from '@/api/types'
import { useLanguage } from '@/i18n'
import { FormDialog } from '@/ui/FormDialog'
import { NewPassword } from '@/ui/NewPassword'
import { useMay } from '@/ui/session'
import { useToasts } from '@/ui/toasts'

export function RolesField({ value, onChange }: { value: string[]; onChange: (roles: string[]) => void }) {
  const { t } = useLanguage()
  const may = useMay()
  const roles = useQuery({ queryKey: ['roles'], queryFn: ({ signal }) => listRoles(signal), enabled: may('roles:read') })
  if (!may('roles:assign')) {
    return (
      <Text size="sm" c="dimmed">
        {t.users.rolesNeedPermission}
      </Text>
    )
  }
  return (
    <MultiSelect
      label={t.users.roles}
      data={(roles.data?.items ?? value.map((name) => ({ name, title: name }))).map(({ name, title }) => ({
        value: name,
        label: t.roles[name] ?? title,
      }))}
      value={value}
      onChange={onChange}
    />
  )
}

export function CreateUserDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLanguage()
  const client = useQueryClient()
  const toasts = useToasts()
  const may = useMay()
  const [name, setName] = useState('')
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [roles, setRoles] = useState(['user'])
  const create = useMutation({
    mutationFn: () =>
      createUser({
        name: name.trim(),
        email: email.trim(),
        password,
        roles: may('roles:assign') ? roles : ['user'],
      }),
    onSuccess: async (user) => {
      toasts.say(t.users.created_(user.name))
      onClose()
      await client.invalidateQueries({ queryKey: ['users'] })
    },
  })
  const problem = create.error instanceof Problem ? create.error : null
  return (
    <FormDialog
      title={t.users.createTitle}
      action={t.users.create}
      busy={create.isPending}
      ready={name.trim() !== '' && email.trim() !== '' && password !== ''}
      error={create.error}
      onSubmit={() => create.mutate()}
      onClose={onClose}
    >
      <TextInput
        label={t.users.name}
        data-autofocus
        autoComplete="off"
        value={name}
        error={problem?.fieldError('name')}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <TextInput
        label={t.users.email}
        type="email"
        autoComplete="off"
        value={email}
        error={problem?.fieldError('email')}
        onChange={(event) => setEmail(event.currentTarget.value)}
      />
      <NewPassword
        label={t.users.initialPassword}
        description={t.users.initialPasswordHint}
        value={password}
        onChange={setPassword}
        email={email}
        name={name}
        error={create.error}
      />
      <RolesField value={roles} onChange={setRoles} />
    </FormDialog>
  )
}

export function EditUserDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useLanguage()
  const client = useQueryClient()
  const toasts = useToasts()
  const [name, setName] = useState(user.name)
  const [roles, setRoles] = useState(user.roles)
  const sameRoles = roles.length === user.roles.length && roles.every((role) => user.roles.includes(role))
  const change = useMutation({
    mutationFn: () =>
      changeUser(user.id, {
        ...(name.trim() === user.name ? {} : { name: name.trim() }),
        ...(sameRoles ? {} : { roles }),
      }),
    onSuccess: async () => {
      toasts.say(t.common.saved)
      onClose()
      await client.invalidateQueries({ queryKey: ['users'] })
    },
  })
  const problem = change.error instanceof Problem ? change.error : null
  return (
    <FormDialog
      title={t.users.editTitle(user.name)}
      action={t.common.save}
      busy={change.isPending}
      ready={name.trim() !== '' && (name.trim() !== user.name || !sameRoles)}
      error={change.error}
      onSubmit={() => change.mutate()}
      onClose={onClose}
    >
      <TextInput
        label={t.users.name}
        data-autofocus
        value={name}
        error={problem?.fieldError('name')}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <RolesField value={roles} onChange={setRoles} />
    </FormDialog>
  )
}
