import { Button, Collapse, Group, MultiSelect, NumberInput, Select, SimpleGrid, Stack, TagsInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { IconChevronDown, IconChevronUp } from '@tabler/icons-react'
import { useState } from 'react'
import type { Problem } from '@/api/client'
import { listModels } from '@/api/gateway'
import type { BudgetPeriod } from '@/api/keys'
import type { Key } from '@/api/types'
import { useLanguage } from '@/i18n'
import { useMay } from '@/ui/session'
import { useKeyWords } from './keyWords'

/** What bounds a key, as its form holds it; an empty field bounds nothing. */
export interface Bounds {
  models: string[]
  networks: string[]
  requests: string | number
  tokens: string | number
  parallel: string | number
  budget: string | number
  period: BudgetPeriod
}

export const UNBOUND: Bounds = {
  models: [],
  networks: [],
  requests: '',
  tokens: '',
  parallel: '',
  budget: '',
  period: 'month',
}

export function boundsOf(key: Key): Bounds {
  return {
    models: key.models,
    networks: key.networks,
    requests: key.requests_per_minute ?? '',
    tokens: key.tokens_per_minute ?? '',
    parallel: key.parallel_requests ?? '',
    budget: key.budget === null ? '' : String(Number(key.budget.amount)),
    period: key.budget?.period ?? 'month',
  }
}

const numberOf = (value: string | number) => (value === '' ? null : Number(value))

/** As the API takes it. */
export function wishOf(bounds: Bounds) {
  return {
    models: bounds.models,
    networks: bounds.networks,
    requests_per_minute: numberOf(bounds.requests),
    tokens_per_minute: numberOf(bounds.tokens),
    parallel_requests: numberOf(bounds.parallel),
    budget: bounds.budget === '' ? null : { amount: String(bounds.budget), period: bounds.period },
  }
}

interface BoundsFieldsProps {
  value: Bounds
  problem: Problem | null
  /** Shown from the beginning. */
  open: boolean
  onChange: (bounds: Bounds) => void
}

export function BoundsFields({ value, problem, open, onChange }: BoundsFieldsProps) {
  const words = useKeyWords()
  const [shown, setShown] = useState(open)
  const may = useMay()
  const models = useQuery({
    queryKey: ['models'],
    queryFn: ({ signal }) => listModels(signal),
    enabled: shown && may('models:read'),
  })
  const names = [...new Set([...(models.data?.items ?? []).map(({ name }) => name), ...value.models])]
  const number = (field: 'requests' | 'tokens' | 'parallel', api: string) => (
    <NumberInput
      label={words[field]}
      placeholder={words.unlimited}
      min={1}
      allowDecimal={false}
      thousandSeparator=" "
      value={value[field]}
      error={problem?.fieldError(api)}
      onChange={(next) => onChange({ ...value, [field]: next })}
    />
  )
  return (
    <div>
      {!open && (
        <Button
          variant="subtle"
          size="compact-sm"
          aria-expanded={shown}
          rightSection={shown ? <IconChevronUp size={14} /> : <IconChevronDown size={14} />}
          onClick={() => setShown(!shown)}
        >
          {shown ? words.fewer : words.more}
        </Button>
      )}
      <Collapse expanded={shown}>
        <Stack gap="md" pt={open ? 0 : 'sm'}>
          <MultiSelect
            label={words.models}
            description={words.modelsHint}
            searchable
            clearable
            data={names}
            value={value.models}
            error={problem?.fieldError('models')}
            onChange={(chosen) => onChange({ ...value, models: chosen })}
          />
          <TagsInput
            label={words.networks}
            description={words.networksHint}
            placeholder={value.networks.length === 0 ? words.networksPlaceholder : ''}
            splitChars={[',', ' ', ';']}
            acceptValueOnBlur
            clearable
            value={value.networks}
            error={problem?.fieldError('networks')}
            onChange={(networks) => onChange({ ...value, networks })}
          />
          <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
            {number('requests', 'requests_per_minute')}
            {number('tokens', 'tokens_per_minute')}
            {number('parallel', 'parallel_requests')}
          </SimpleGrid>
          <Group gap="sm" align="flex-start" grow>
            <NumberInput
              label={words.budget}
              placeholder={words.unlimited}
              min={0}
              decimalScale={6}
              value={value.budget}
              error={problem?.fieldError('budget.amount')}
              onChange={(budget) => onChange({ ...value, budget })}
            />
            <Select
              label={words.period}
              allowDeselect={false}
              data={(['day', 'month', 'total'] as const).map((period) => ({
                value: period,
                label: words.periods[period],
              }))}
              value={value.period}
              onChange={(period) => onChange({ ...value, period: period ?? 'month' })}
            />
          </Group>
        </Stack>
      </Collapse>
    </div>
  )
}

/** A key's limits in a few words. */
export function useBoundsInWords(): (key: Key) => string[] {
  const { format } = useLanguage()
  const words = useKeyWords()
  return (key) => {
    const said: string[] = []
    const { budget } = key
    if (budget !== null) {
      said.push(
        words.spentOf(format.credits(budget.spent), format.credits(budget.amount), words.per[budget.period]),
      )
    }
    if (key.models.length > 0) said.push(words.onlyModels(key.models.length))
    if (key.networks.length > 0) said.push(words.onlyNetworks(key.networks.length))
    if (key.requests_per_minute !== null) said.push(words.rpm(format.number(key.requests_per_minute)))
    if (key.tokens_per_minute !== null) said.push(words.tpm(format.number(key.tokens_per_minute)))
    if (key.parallel_requests !== null) said.push(words.atATime(format.number(key.parallel_requests)))
    return said
  }
}
