import { Button, Code, Group, Text } from '@mantine/core'
import { IconAlertTriangle, IconRefresh } from '@tabler/icons-react'
import { Problem, UNREACHABLE } from '@/api/client'
import { useLanguage, type Messages } from '@/i18n'
import classes from './panels.module.css'

export interface Explanation {
  title: string
  text: string | null
  code: string | null
  requestId: string | null
}

/** What happened and what to do, whoever said it. */
export function explain(error: unknown, t: Messages): Explanation {
  if (error instanceof Problem) {
    if (error.code === UNREACHABLE) {
      return { title: t.errors.unreachable, text: t.errors.unreachableRemedy, code: null, requestId: null }
    }
    const said = t.problems[error.code]
    if (said !== undefined) {
      return { title: said.title, text: said.remedy, code: error.code, requestId: error.requestId }
    }
    const detail = error.detail === error.title ? null : error.detail
    const text = [detail, error.remedy].filter((part) => part !== null && part !== '').join(' ')
    return { title: error.title, text: text === '' ? null : text, code: error.code, requestId: error.requestId }
  }
  return { title: t.errors.title, text: error instanceof Error ? error.message : null, code: null, requestId: null }
}

/** An error where the content would be, with the remedy first and a way to try again. */
export function ErrorPanel({ error, onRetry, compact }: { error: unknown; onRetry?: () => void; compact?: boolean }) {
  const { t } = useLanguage()
  const said = explain(error, t)
  return (
    <div role="alert" className={compact === true ? classes.compact : classes.panel}>
      <IconAlertTriangle size={20} className={classes.bad} aria-hidden />
      <div>
        <Text fw={600}>{said.title}</Text>
        {said.text !== null && <Text c="dimmed">{said.text}</Text>}
        <Group gap="sm" mt={6}>
          {onRetry && (
            <Button size="xs" variant="default" leftSection={<IconRefresh size={14} />} onClick={onRetry}>
              {t.common.retry}
            </Button>
          )}
          {said.code !== null && (
            <Text size="xs" c="dimmed">
              {t.common.code} <Code>{said.code}</Code>
              {said.requestId !== null && (
                <>
                  {' · '}
                  {t.common.request} <Code>{said.requestId.slice(0, 12)}</Code>
                </>
              )}
            </Text>
          )}
        </Group>
      </div>
    </div>
  )
}
