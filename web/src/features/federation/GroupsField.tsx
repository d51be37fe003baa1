import { ActionIcon, Button, Group, MultiSelect, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import { listRoles } from '@/api/identity'
import { useLanguage } from '@/i18n'
import { useMay } from '@/ui/session'
import classes from './federation.module.css'
import { useProviderWords } from './words'

export interface GroupRow {
  group: string
  roles: string[]
}

/** Which roles the people of which group get. */
export function GroupsField({ value, onChange }: { value: GroupRow[]; onChange: (rows: GroupRow[]) => void }) {
  const { t } = useLanguage()
  const words = useProviderWords()
  const may = useMay()
  const roles = useQuery({ queryKey: ['roles'], queryFn: ({ signal }) => listRoles(signal), enabled: may('roles:read') })
  const known = roles.data?.items ?? [...new Set(value.flatMap((row) => row.roles))].map((name) => ({ name, title: name }))
  const data = known.map(({ name, title }) => ({ value: name, label: t.roles[name] ?? title }))
  const set = (at: number, change: Partial<GroupRow>) =>
    onChange(value.map((row, index) => (index === at ? { ...row, ...change } : row)))
  return (
    <>
      {value.map((row, at) => (
        <div key={at} className={classes.group}>
          <TextInput
            label={words.group}
            maxLength={300}
            value={row.group}
            onChange={(event) => set(at, { group: event.currentTarget.value })}
          />
          <MultiSelect
            label={words.roles}
            data={data}
            value={row.roles}
            onChange={(chosen) => set(at, { roles: chosen })}
          />
          <ActionIcon
            size={36}
            variant="default"
            aria-label={`${words.removeGroup}: ${row.group}`}
            onClick={() => onChange(value.filter((_, index) => index !== at))}
          >
            <IconTrash size={16} />
          </ActionIcon>
        </div>
      ))}
      <Group>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconPlus size={15} />}
          onClick={() => onChange([...value, { group: '', roles: [] }])}
        >
          {words.addGroup}
        </Button>
      </Group>
    </>
  )
}
