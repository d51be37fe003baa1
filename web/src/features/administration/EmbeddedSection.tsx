import { Button, Skeleton, Text } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { IconFileUpload } from '@tabler/icons-react'
import { useEffect } from 'react'
import { useSearchParams } from 'react-router'
import { embeddedQuery } from '@/api/queries'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { useMay } from '@/ui/session'
import classes from './administration.module.css'
import { EmbeddedStatus } from './EmbeddedStatus'
import { GgufDialog } from './GgufDialog'

/** The model that runs on this machine: what it is, how it is, and how to run another. */
export function EmbeddedSection() {
  const { t } = useLanguage()
  const may = useMay()
  const client = useQueryClient()
  const [params, setParams] = useSearchParams()
  const embedded = useQuery(embeddedQuery)
  const state = embedded.data
  const now = state && `${state.state} ${state.model_name ?? ''}`
  useEffect(() => {
    if (now !== undefined) void client.invalidateQueries({ queryKey: ['models'] })
  }, [client, now])
  if (embedded.isError) return <ErrorPanel error={embedded.error} onRetry={() => void embedded.refetch()} />
  const manage = may('models:manage')
  return (
    <section className={classes.embedded} aria-label={t.models.embedded}>
      <div className={classes.embeddedWords}>
        <Text fw={600}>
          {state?.model_name ?? t.models.embedded}{' '}
          {state?.demonstration === true && <span className={classes.demo}>{t.chat.demonstration}</span>}
        </Text>
        <Text size="sm" c="dimmed">
          {state?.demonstration === false ? t.gguf.ownHint : t.models.embeddedHint}
        </Text>
      </div>
      {state ? <EmbeddedStatus state={state} /> : <Skeleton height={12} width={80} />}
      {manage && (
        <Button
          size="xs"
          variant="default"
          leftSection={<IconFileUpload size={15} />}
          onClick={() => setParams({ add: 'gguf' })}
        >
          {t.gguf.title}
        </Button>
      )}
      {manage && params.get('add') === 'gguf' && <GgufDialog onClose={() => setParams({})} />}
    </section>
  )
}
