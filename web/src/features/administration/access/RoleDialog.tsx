import { Select, Text, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { changeRole, createRole, permissionsQuery, type Role } from '@/api/access'
import { Problem } from '@/api/client'
import { useLanguage } from '@/i18n'
import { FormDialog } from '@/ui/FormDialog'
import { useMay } from '@/ui/session'
import { useToasts } from '@/ui/toasts'
import classes from './access.module.css'
import { PermissionChoices } from './PermissionChoices'
import { roleWord } from './words'

const SUPER_ADMIN = 'super_admin'

/** Makes a role, or changes one; without `roles:manage` it shows what the role may. */
export function RoleDialog({ of: role, roles, onClose }: { of: Role | null; roles: Role[]; onClose: () => void }) {
  const { t } = useLanguage()
  const may = useMay()
  const client = useQueryClient()
  const toasts = useToasts()
  const all = useQuery(permissionsQuery)
  const [title, setTitle] = useState(role?.title ?? '')
  const [name, setName] = useState(role?.name ?? '')
  const [named, setNamed] = useState(role !== null)
  const [parentId, setParentId] = useState(roles.find((other) => other.name === role?.parent)?.id ?? null)
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set(role?.own ?? []))

  const builtIn = role?.built_in === true
  const fixed = role?.name === SUPER_ADMIN || !may('roles:manage')
  const parent = roles.find(({ id }) => id === parentId) ?? null
  const inherited = new Set(parent?.permissions ?? [])
  const own = [...chosen].sort()
  // Whoever inherits from this role cannot be its parent.
  const below = new Set<string>(role === null ? [] : [role.name])
  for (let grew = true; grew; ) {
    const more = roles.filter((other) => other.parent !== null && below.has(other.parent) && !below.has(other.name))
    for (const other of more) below.add(other.name)
    grew = more.length > 0
  }
  const parents = roles.filter((other) => other.name !== SUPER_ADMIN && !below.has(other.name))

  const save = useMutation({
    mutationFn: () => {
      if (role === null) return createRole({ name, title: title.trim(), permissions: own, parent_id: parentId })
      if (builtIn) return changeRole(role.id, { permissions: own })
      return changeRole(role.id, {
        ...(name === role.name ? {} : { name }),
        ...(title.trim() === role.title ? {} : { title: title.trim() }),
        ...((parent?.name ?? null) === role.parent ? {} : { parent_id: parentId }),
        ...(own.join() === [...role.own].sort().join() ? {} : { permissions: own }),
      })
    },
    onSuccess: async (saved) => {
      toasts.say((role === null ? t.access.made : t.access.changed)(roleWord(t, saved.name, saved.title)))
      onClose()
      await client.invalidateQueries({ queryKey: ['roles'] })
    },
  })
  const problem = save.error instanceof Problem ? save.error : null

  return (
    <FormDialog
      title={role === null ? t.access.createTitle : t.access.editTitle(roleWord(t, role.name, role.title))}
      action={role === null ? t.access.create : t.common.save}
      busy={save.isPending}
      ready={!fixed && all.data !== undefined && title.trim() !== '' && name !== ''}
      error={save.error}
      size={560}
      onSubmit={() => save.mutate()}
      onClose={onClose}
    >
      {builtIn ? (
        <Text size="sm" c="dimmed">
          {role.name === SUPER_ADMIN ? t.access.everything : t.access.builtInText}
        </Text>
      ) : (
        <>
          <div className={classes.pair}>
            <TextInput
              label={t.access.roleTitle}
              description={t.access.roleTitleHint}
              data-autofocus
              autoComplete="off"
              maxLength={200}
              disabled={fixed}
              value={title}
              error={problem?.fieldError('title')}
              onChange={(event) => {
                setTitle(event.currentTarget.value)
                if (!named) setName(slug(event.currentTarget.value))
              }}
            />
            <TextInput
              label={t.access.roleName}
              description={t.access.roleNameHint}
              autoComplete="off"
              spellCheck={false}
              maxLength={50}
              disabled={fixed}
              value={name}
              error={problem?.fieldError('name')}
              onChange={(event) => {
                setNamed(true)
                setName(event.currentTarget.value)
              }}
            />
          </div>
          <Select
            label={t.access.inherits}
            description={t.access.inheritsHint}
            placeholder={t.access.nothing}
            clearable
            clearButtonProps={{ 'aria-label': t.access.nothing }}
            disabled={fixed}
            data={parents.map((other) => ({ value: other.id, label: roleWord(t, other.name, other.title) }))}
            value={parentId}
            error={problem?.fieldError('parent_id')}
            onChange={setParentId}
          />
        </>
      )}
      <div>
        <Text size="sm" fw={500} mb={6}>
          {t.access.permissions}
        </Text>
        <PermissionChoices
          permissions={all.data?.items ?? []}
          chosen={chosen}
          inherited={inherited}
          parent={parent === null ? '' : roleWord(t, parent.name, parent.title)}
          free={(one) => !fixed && may(one) && (!builtIn || role.defaults.includes(one))}
          onChange={setChosen}
        />
        {!fixed && (
          <Text size="xs" c="dimmed" mt={6}>
            {t.access.yourLimit}
          </Text>
        )}
      </div>
    </FormDialog>
  )
}

function slug(title: string): string {
  return title
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 50)
}
