import { Button, Progress, Skeleton, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { beginVerification, readVerification, type Verifications } from '@/api/audit'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Status } from '@/ui/Status'
import { useToasts } from '@/ui/toasts'
import classes from './audit.module.css'

const KEY = ['audit', 'verification']
const REFRESH_MS = 1_000

const running = (state: Verifications | undefined) => state?.latest?.finished_at === null

/** Whether the log is whole, as far as that was checked, and a check at the push of a button. */
export function Verification() {
  const { t } = useLanguage()
  const client = useQueryClient()
  const toasts = useToasts()
  const state = useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => readVerification(signal),
    refetchInterval: ({ state: { data } }) => (running(data) ? REFRESH_MS : false),
  })
  const begin = useMutation({
    mutationFn: beginVerification,
    onSuccess: (begun) => client.setQueryData(KEY, begun),
    onError: toasts.fail,
  })
  if (state.isError) return <ErrorPanel error={state.error} onRetry={() => void state.refetch()} compact />
  if (state.data === undefined) return <Skeleton height={64} mb="md" radius="lg" />
  return (
    <div className={classes.state}>
      <div className={classes.stateWords} aria-live="polite">
        <Words state={state.data} />
      </div>
      <Button
        variant="default"
        size="xs"
        loading={begin.isPending || running(state.data)}
        onClick={() => begin.mutate()}
      >
        {t.audit.check}
      </Button>
    </div>
  )
}

function Words({ state: { latest, finished } }: { state: Verifications }) {
  const { t, format } = useLanguage()
  if (latest !== null && latest.finished_at === null) {
    const reached = latest.up_to > 0 && latest.head > 0
    return (
      <>
        <Status tone="watch">{t.audit.checking}</Status>
        <Text size="sm" c="dimmed" mt={4}>
          {reached ? t.audit.checkingText(format.number(latest.up_to), format.number(latest.head)) : t.audit.waiting}
        </Text>
        <Progress
          mt={8}
          size="sm"
          aria-label={t.audit.checking}
          value={reached ? (100 * latest.up_to) / latest.head : 100}
          animated={!reached}
        />
      </>
    )
  }
  if (finished?.finished_at == null) {
    return (
      <>
        <Status tone="off">{t.audit.unchecked}</Status>
        <Text size="sm" c="dimmed" mt={4}>
          {t.audit.uncheckedText}
        </Text>
      </>
    )
  }
  const notes = [...finished.problems, ...finished.warnings]
  return (
    <>
      <Status tone={finished.ok === true ? 'ok' : 'bad'}>
        {finished.ok === true
          ? t.audit.whole(format.number(finished.up_to))
          : `${t.audit.broken}: ${t.audit.problems(finished.problems.length)}`}
      </Status>
      <Text size="sm" c="dimmed" mt={4}>
        {t.audit.checkedAt(format.ago(finished.finished_at), format.number(finished.rows))}
      </Text>
      {notes.length > 0 && (
        <ul>
          {notes.slice(0, 12).map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </>
  )
}
