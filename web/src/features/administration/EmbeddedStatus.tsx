import { Button, Progress, Text } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { chooseModelFile } from '@/api/gateway'
import { embeddedQuery } from '@/api/queries'
import type { EmbeddedState } from '@/api/types'
import { useLanguage } from '@/i18n'
import { useMay } from '@/ui/session'
import { Status, type Tone } from '@/ui/Status'
import { useToasts } from '@/ui/toasts'
import classes from './gguf.module.css'

const TONES: Record<EmbeddedState['state'], Tone> = {
  ready: 'ok',
  loading: 'info',
  downloading: 'info',
  failed: 'bad',
  absent: 'off',
  stopped: 'off',
}

/** How the model on this machine is; when a file of one's own failed, why, and the way back. */
export function EmbeddedStatus({ state, named = false }: { state: EmbeddedState; named?: boolean }) {
  const { t, format } = useLanguage()
  const may = useMay()
  const client = useQueryClient()
  const toasts = useToasts()
  const back = useMutation({
    mutationFn: () => chooseModelFile(null),
    onSuccess: (now) => client.setQueryData(embeddedQuery.queryKey, now),
    onError: toasts.fail,
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: ['embedded', 'files'] }),
        client.invalidateQueries({ queryKey: ['models'] }),
      ]),
  })
  return (
    <div className={classes.status} role="status">
      <div className={classes.row}>
        {named && (
          <Text size="sm" fw={500} className={classes.words}>
            {state.model_name}
          </Text>
        )}
        {state.share !== null && (state.state === 'downloading' || state.state === 'loading') && (
          <Progress value={state.share * 100} w={120} size="sm" aria-label={format.percent(state.share)} />
        )}
        <Status tone={TONES[state.state]}>{t.models.embeddedStates[state.state]}</Status>
      </div>
      {state.state === 'failed' && (
        <>
          <Text size="sm">{state.detail}</Text>
          <Text size="sm" c="dimmed">
            {(state.code === null ? undefined : t.problems[state.code]?.remedy) ?? state.remedy}
          </Text>
          <Text size="xs" c="dimmed">
            {t.common.code} <code>{state.code}</code>
          </Text>
          {!state.demonstration && may('models:manage') && (
            <Button size="compact-sm" variant="default" mt={6} loading={back.isPending} onClick={() => back.mutate()}>
              {t.gguf.back}
            </Button>
          )}
        </>
      )}
    </div>
  )
}
