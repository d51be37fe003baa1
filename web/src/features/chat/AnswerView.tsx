import { ActionIcon, Anchor, Button, Text, Tooltip } from '@mantine/core'
import { IconAlertTriangle, IconPlayerTrackNext, IconRefresh } from '@tabler/icons-react'
import { Link } from 'react-router'
import type { Message, Model } from '@/api/types'
import { useLanguage } from '@/i18n'
import { CopyAction } from '@/ui/CopyAction'
import { Markdown } from '@/ui/markdown/Markdown'
import { useMay } from '@/ui/session'
import { BranchWalker } from './BranchWalker'
import chatClasses from './chat.module.css'
import classes from './messages.module.css'
import type { Live } from './live'
import { reasoningOf, toolsOf } from './parts'
import { Folded, ToolView } from './ToolView'

export interface AnswerViewProps {
  message: Message
  versions: Message[]
  live: Live | null
  model: Model | undefined
  busy: boolean
  onWalk: (to: Message) => void
  onRegenerate: () => void
  onContinue: () => void
}

export function AnswerView({ message, versions, live, model, busy, onWalk, onRegenerate, onContinue }: AnswerViewProps) {
  const { t } = useLanguage()
  const streaming = message.status === 'streaming'
  const text = streaming && live !== null ? live.text : message.text
  const reasoning = streaming && live !== null ? live.reasoning : reasoningOf(message.parts)
  const tools = streaming && live !== null ? live.tools : toolsOf(message.parts)
  const said = message.error && (t.problems[message.error.code] ?? message.error)
  const resumable = message.status === 'interrupted' || message.status === 'stopped'

  return (
    <article className={classes.answer} aria-label={t.chat.assistant} aria-busy={streaming}>
      {reasoning !== '' && (
        <Folded title={streaming && text === '' ? t.chat.thinking : t.chat.reasoning}>
          <div className={classes.reasoning}>{reasoning}</div>
        </Folded>
      )}
      {tools.map((tool) => (
        <ToolView key={tool.id} tool={tool} />
      ))}
      {text !== '' && <Markdown text={text} />}
      {streaming && text === '' && (
        <div className={classes.waiting} aria-label={t.chat.thinking} role="img">
          <span />
          <span />
          <span />
        </div>
      )}
      {streaming && live !== null && !live.connected && (
        <Text size="sm" c="dimmed" mt="xs" className={classes.late}>
          {t.chat.reconnecting}
        </Text>
      )}
      {message.status === 'failed' && (
        <div className={classes.failed} role="alert">
          <IconAlertTriangle size={17} aria-hidden />
          <div>
            <Text fw={500}>{said?.title ?? t.chat.failed}</Text>
            {message.error && (
              <>
                <Text c="dimmed">{said?.remedy}</Text>
                <Text size="xs" c="dimmed">
                  {t.common.code} <code>{message.error.code}</code>
                </Text>
              </>
            )}
          </div>
        </div>
      )}
      {resumable && (
        <Text size="sm" c="dimmed" mt="xs">
          {message.status === 'stopped' ? t.chat.stopped : t.chat.interrupted}
        </Text>
      )}
      {!streaming && (
        <div className={classes.acts}>
          {text !== '' && <CopyAction text={text} label={t.chat.copyMessage} />}
          <Tooltip label={t.chat.regenerate}>
            <ActionIcon size={28} aria-label={t.chat.regenerate} disabled={busy} onClick={onRegenerate}>
              <IconRefresh size={16} />
            </ActionIcon>
          </Tooltip>
          {resumable && (
            <Button
              size="compact-sm"
              variant="default"
              disabled={busy}
              leftSection={<IconPlayerTrackNext size={14} />}
              onClick={onContinue}
            >
              {t.chat.continue}
            </Button>
          )}
          <BranchWalker message={message} versions={versions} onWalk={onWalk} />
          <AnswerFacts message={message} model={model} />
        </div>
      )}
    </article>
  )
}

/** Which model, how many tokens, how many credits; and what a demonstration is worth. */
function AnswerFacts({ message, model }: { message: Message; model: Model | undefined }) {
  const { t, format } = useLanguage()
  const may = useMay()
  const { usage } = message
  return (
    <span className={classes.facts}>
      {message.model !== null && <span>{message.model}</span>}
      {model?.demonstration === true && (
        <Tooltip label={t.chat.demonstrationHint} multiline w={260}>
          <span className={chatClasses.demo}>{t.chat.demonstration}</span>
        </Tooltip>
      )}
      {usage && (
        <Tooltip label={t.chat.costDetail(format.number(usage.input_tokens), format.number(usage.output_tokens))}>
          <span className="tabular">
            {Number(usage.credits) === 0
              ? t.chat.costFree(format.number(usage.input_tokens + usage.output_tokens))
              : t.chat.cost(format.number(usage.input_tokens + usage.output_tokens), format.credits(usage.credits))}
          </span>
        </Tooltip>
      )}
      {model?.demonstration === true && may('providers:manage') && (
        <Anchor component={Link} to="/admin/models?add=provider" size="xs">
          {t.chat.addProvider}
        </Anchor>
      )}
      {model?.demonstration === true && may('models:manage') && (
        <Anchor component={Link} to="/admin/models?add=gguf" size="xs">
          {t.gguf.title}
        </Anchor>
      )}
    </span>
  )
}
