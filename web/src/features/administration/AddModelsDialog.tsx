import { Checkbox, Loader, Text, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconSearch } from '@tabler/icons-react'
import { useState } from 'react'
import { createModel, testProvider } from '@/api/gateway'
import { modelsQuery } from '@/api/queries'
import type { Provider } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { FormDialog } from '@/ui/FormDialog'
import { Status } from '@/ui/Status'
import { useToasts } from '@/ui/toasts'
import classes from './administration.module.css'

const FILTER_FROM = 8

/** Asks the provider what it has, and offers the models that are not here yet. Doing so is also the test. */
export function AddModelsDialog({ provider, onClose }: { provider: Provider; onClose: () => void }) {
  const { t, format } = useLanguage()
  const client = useQueryClient()
  const toasts = useToasts()
  const [chosen, setChosen] = useState<string[]>([])
  const [byHand, setByHand] = useState('')
  const [filter, setFilter] = useState('')
  const models = useQuery(modelsQuery)
  const test = useQuery({
    queryKey: ['provider-test', provider.id],
    queryFn: () => testProvider(provider.id),
    staleTime: 0,
    gcTime: 0,
    retry: false,
  })
  const here = new Set(
    models.data?.items.filter((model) => model.provider_id === provider.id).map((model) => model.upstream_name),
  )
  const offered = (test.data?.models ?? []).filter((name) => !here.has(name))
  const shown = offered.filter((name) => name.toLowerCase().includes(filter.trim().toLowerCase()))
  const typed = byHand
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  const wanted = [...chosen, ...typed]
  const add = useMutation({
    mutationFn: async () => {
      for (const name of wanted) {
        await createModel({
          name,
          upstream_name: name,
          provider_id: provider.id,
          kind: /embed/i.test(name) ? 'embedding' : 'chat',
        })
        setChosen((before) => before.filter((other) => other !== name))
      }
      return wanted.length
    },
    onSuccess: (count) => {
      toasts.say(t.models.modelsAdded(count))
      onClose()
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['models'] }),
  })

  return (
    <FormDialog
      title={provider.name}
      action={t.models.addChosen(wanted.length)}
      busy={add.isPending}
      ready={wanted.length > 0}
      error={add.error}
      size={480}
      onSubmit={() => add.mutate()}
      onClose={onClose}
    >
      <div className={classes.test} role="status">
        {test.isFetching ? (
          <>
            <Loader size={16} />
            <Text c="dimmed">{t.models.testing}</Text>
          </>
        ) : test.data?.ok === true ? (
          <Status tone="ok">{t.models.testOk(format.number(test.data.latency_ms ?? 0), test.data.models.length)}</Status>
        ) : null}
      </div>
      {test.isError && <ErrorPanel error={test.error} onRetry={() => void test.refetch()} compact />}
      {!test.isFetching && test.data?.ok === false && (
        <div role="alert">
          <Status tone="bad">{t.models.testFailed}</Status>
          <Text c="dimmed">
            {test.data.error?.detail} {test.data.error?.remedy}
          </Text>
          <Text size="xs" c="dimmed">
            {t.common.code} <code>{test.data.error?.code}</code>
          </Text>
        </div>
      )}
      {offered.length >= FILTER_FROM && (
        <TextInput
          type="search"
          aria-label={t.models.filter}
          placeholder={t.models.filter}
          leftSection={<IconSearch size={15} />}
          value={filter}
          onChange={(event) => setFilter(event.currentTarget.value)}
        />
      )}
      {offered.length > 0 && (
        <Checkbox.Group label={t.models.pickModels} value={chosen} onChange={setChosen}>
          <div className={classes.found}>
            {shown.map((name) => (
              <Checkbox key={name} value={name} label={name} />
            ))}
          </div>
        </Checkbox.Group>
      )}
      {!test.isFetching && (
        <TextInput
          label={t.models.byHand}
          description={t.models.byHandHint}
          value={byHand}
          onChange={(event) => setByHand(event.currentTarget.value)}
        />
      )}
    </FormDialog>
  )
}
