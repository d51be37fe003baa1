import { Autocomplete, Button, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { listActions, type AuditFilter } from '@/api/audit'
import { useLanguage } from '@/i18n'
import classes from './audit.module.css'

interface AuditFiltersProps {
  filter: AuditFilter
  onChange: (filter: AuditFilter) => void
}

/** What is typed counts after a moment; the address bar keeps it. */
export function AuditFilters({ filter, onChange }: AuditFiltersProps) {
  const { t } = useLanguage()
  const [typed, setTyped] = useState(filter)
  const actions = useQuery({ queryKey: ['audit', 'actions'], queryFn: ({ signal }) => listActions(signal) })
  const apply = useDebouncedCallback(onChange, 300)
  const type = (change: AuditFilter) => {
    const next = { ...typed, ...change }
    setTyped(next)
    apply(next)
  }
  const field = (name: 'q' | 'actor' | 'ip' | 'since' | 'until', label: string, kind: string) => (
    <TextInput
      type={kind}
      size="xs"
      label={label}
      maxLength={200}
      className={name === 'q' ? classes.wideFilter : undefined}
      value={typed[name] ?? ''}
      onChange={(event) => type({ [name]: event.currentTarget.value })}
    />
  )
  const target = [typed.target_kind, typed.target_id].filter(Boolean).join(' ')
  const some = Object.values(typed).some((value) => value !== '')
  return (
    <>
      <div className={classes.filters} role="search" aria-label={t.audit.filters}>
        {field('q', t.audit.search, 'search')}
        <Autocomplete
          size="xs"
          label={t.audit.action}
          maxLength={200}
          data={actions.data?.items ?? []}
          value={typed.action ?? ''}
          onChange={(action) => type({ action })}
        />
        {field('actor', t.audit.actor, 'search')}
        {field('ip', t.audit.address, 'search')}
        {field('since', t.audit.since, 'date')}
        {field('until', t.audit.until, 'date')}
        {some && (
          <Button
            size="xs"
            variant="subtle"
            onClick={() => {
              setTyped({})
              apply.cancel()
              onChange({})
            }}
          >
            {t.audit.clear}
          </Button>
        )}
      </div>
      {target !== '' && (
        <p className={classes.breakable}>{t.audit.onlyTarget(target)}</p>
      )}
    </>
  )
}
