import { Anchor, Progress, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from 'react-router'
import { embeddedQuery } from '@/api/queries'
import type { Model } from '@/api/types'
import { useLanguage } from '@/i18n'
import { useMay } from '@/ui/session'
import classes from './composer.module.css'

/** While the chosen model is one of this machine and cannot answer: what it is doing, and how far it is. */
export function EmbeddedNotice({ model }: { model: Model | undefined }) {
  const { t, format } = useLanguage()
  const may = useMay()
  const local = model?.provider_name === 'embedded'
  const embedded = useQuery({ ...embeddedQuery, enabled: local })
  const state = embedded.data
  if (!local || !state) return null
  const another = state.model_name !== model.upstream_name
  if (!another && state.state === 'ready') return null
  return (
    <div className={classes.notice} role="status">
      <Text size="sm">
        {another ? t.chat.anotherRuns(state.model_name ?? t.models.embedded) : t.chat.modelStates[state.state]}
      </Text>
      {!another && state.share !== null && (state.state === 'downloading' || state.state === 'loading') && (
        <Progress value={state.share * 100} size="sm" flex={1} maw={180} aria-label={format.percent(state.share)} />
      )}
      {!another && state.remedy !== null && (
        <Text size="sm" c="dimmed">
          {state.remedy}
        </Text>
      )}
      {may('models:manage') && (another || state.state === 'failed') && (
        <Anchor component={Link} to="/admin/models?add=gguf" size="sm">
          {t.gguf.chooseModel}
        </Anchor>
      )}
    </div>
  )
}
