import { Autocomplete, Button, Select } from '@mantine/core'
import { useDebouncedCallback, useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { IconSearch } from '@tabler/icons-react'
import { useState } from 'react'
import { listRoles } from '@/api/identity'
import { suggestPeople, type PeopleFilter } from '@/api/people'
import { useLanguage } from '@/i18n'
import { useMay } from '@/ui/session'
import classes from '../administration.module.css'
import { usePeopleWords } from './words'

export const NOBODY_LEFT_OUT: PeopleFilter = {
  search: '',
  role: '',
  active: '',
  second_factor: '',
  never_signed_in: '',
}

interface PeopleFiltersProps {
  value: PeopleFilter
  onChange: (changed: Partial<PeopleFilter>) => void
}

/** Finding people by name or address, with suggestions, and by what they are. */
export function PeopleFilters({ value, onChange }: PeopleFiltersProps) {
  const { t } = useLanguage()
  const w = usePeopleWords()
  const may = useMay()
  const [typed, setTyped] = useState(value.search)
  const [settled] = useDebouncedValue(typed.trim(), 200)
  const roles = useQuery({ queryKey: ['roles'], queryFn: ({ signal }) => listRoles(signal), enabled: may('roles:read') })
  const suggested = useQuery({
    queryKey: ['users', 'suggested', settled],
    queryFn: ({ signal }) => suggestPeople(settled, signal),
    enabled: settled !== '',
    placeholderData: keepPreviousData,
  })
  const find = useDebouncedCallback((search: string) => onChange({ search: search.trim() }), 250)
  const names = settled === '' ? [] : (suggested.data?.items ?? []).map(({ email }) => email)
  const state = value.never_signed_in === 'true' ? 'never' : value.active
  const filtered = Object.values(value).some((text) => text !== '')
  return (
    <div className={classes.filters} role="search">
      <Autocomplete
        type="search"
        w={260}
        aria-label={t.users.search}
        placeholder={t.users.search}
        leftSection={<IconSearch size={15} />}
        data={names}
        filter={({ options }) => options}
        value={typed}
        onChange={(text) => {
          setTyped(text)
          find(text)
        }}
      />
      {may('roles:read') && (
        <Select
          w={170}
          aria-label={w.people.role}
          placeholder={w.people.anyRole}
          clearable
          data={(roles.data?.items ?? []).map(({ name, title }) => ({ value: name, label: t.roles[name] ?? title }))}
          value={value.role === '' ? null : value.role}
          onChange={(role) => onChange({ role: role ?? '' })}
        />
      )}
      <Select
        w={170}
        aria-label={t.users.state}
        placeholder={w.people.anyState}
        clearable
        data={[
          { value: 'true', label: t.users.active },
          { value: 'false', label: t.users.inactive },
          { value: 'never', label: w.people.neverSignedIn },
        ]}
        value={state === '' ? null : state}
        onChange={(chosen) =>
          onChange({
            active: chosen === null || chosen === 'never' ? '' : chosen,
            never_signed_in: chosen === 'never' ? 'true' : '',
          })
        }
      />
      <Select
        w={200}
        aria-label={w.people.secondFactor}
        placeholder={w.people.anyFactor}
        clearable
        data={[
          { value: 'true', label: w.people.withFactor },
          { value: 'false', label: w.people.withoutFactor },
        ]}
        value={value.second_factor === '' ? null : value.second_factor}
        onChange={(chosen) => onChange({ second_factor: chosen ?? '' })}
      />
      {filtered && (
        <Button
          variant="subtle"
          onClick={() => {
            setTyped('')
            onChange(NOBODY_LEFT_OUT)
          }}
        >
          {w.people.clear}
        </Button>
      )}
    </div>
  )
}
