import { ActionIcon, Text, UnstyledButton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { IconArrowDown } from '@tabler/icons-react'
import { useMemo, useState } from 'react'
import { modelsQuery } from '@/api/queries'
import type { ConversationDetail, Message } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { useSession } from '@/ui/session'
import { useToasts } from '@/ui/toasts'
import { AnswerView } from './AnswerView'
import classes from './chat.module.css'
import messagesClasses from './messages.module.css'
import { Composer } from './Composer'
import { EmbeddedNotice } from './EmbeddedNotice'
import { keepDraft, NEW } from './drafts'
import { useLive } from './live'
import { defaultModel, rememberModel } from './models'
import { QuestionView } from './QuestionView'
import { growTree, newestLeaf, pathTo, siblings } from './tree'
import { useChangeConversation, useConversationActs } from './useConversation'
import { useStickyEnd } from './useStickyEnd'

/** One conversation, or the beginning of one: its messages on the current branch, and the box to write in. */
export function Thread({ detail }: { detail: ConversationDetail | undefined }) {
  const { t } = useLanguage()
  const { user } = useSession()
  const toasts = useToasts()
  const id = detail?.conversation.id ?? null
  const models = useQuery(modelsQuery)
  const [chosenModel, setChosenModel] = useState<string | null>(null)
  const [newPrompt, setNewPrompt] = useState('')
  const change = useChangeConversation()
  const live = useLive(detail)
  const model = detail?.conversation.model ?? chosenModel ?? defaultModel(models.data?.items ?? [])
  const acts = useConversationActs(detail, { model, systemPrompt: newPrompt })
  const { scroller, content, atEnd, goToEnd } = useStickyEnd(id)
  const running = detail?.active_run !== null && detail?.active_run !== undefined
  const [hasRun, setHasRun] = useState(false)
  if (running && !hasRun) setHasRun(true)

  const tree = useMemo(() => growTree(detail?.messages ?? []), [detail?.messages])
  const path = pathTo(tree, detail?.conversation.current_message_id ?? null)
  const pending = acts.pending
  const shown = pending?.parentId === undefined ? path : path.slice(0, indexAfter(path, pending.parentId))
  const unsent = acts.failure?.wish.parentId === undefined ? (acts.failure?.wish ?? null) : null
  const nothing = shown.length === 0 && pending === null && acts.failure === null

  const saved = (result: Parameters<typeof change.mutate>[0]) => change.mutate(result, { onError: toasts.fail })
  const setModel = (name: string) => {
    rememberModel(name)
    if (id === null) setChosenModel(name)
    else saved({ id, change: { model: name } })
  }
  const setPrompt = (prompt: string) => {
    if (id === null) setNewPrompt(prompt)
    else saved({ id, change: { system_prompt: prompt.trim() === '' ? null : prompt.trim() } })
  }
  const walkTo = (message: Message) => {
    if (id !== null) saved({ id, change: { current_message_id: newestLeaf(tree, message.id) } })
  }
  const again = (kind: 'regenerate' | 'continue', message: Message) => {
    goToEnd()
    acts.again.mutate({ kind, message, model }, { onError: toasts.fail })
  }

  return (
    <div className={classes.thread}>
      <div className={classes.scroll} ref={scroller}>
        <div className={classes.column} ref={content}>
          {nothing && (
            <div className={classes.welcome}>
              <Text className={classes.welcomeTitle}>{t.chat.emptyTitle}</Text>
              <Text c="dimmed">{t.chat.emptyText}</Text>
              <div className={classes.suggestions}>
                {t.chat.suggestions.map((suggestion) => (
                  <UnstyledButton
                    key={suggestion}
                    className={classes.suggestion}
                    onClick={() => acts.ask({ text: suggestion, attachments: [] })}
                  >
                    {suggestion}
                  </UnstyledButton>
                ))}
              </div>
            </div>
          )}
          {shown.map((message) => {
            const versions = siblings(tree, message)
            return message.role === 'user' ? (
              <QuestionView
                key={message.id}
                message={message}
                versions={versions}
                onWalk={walkTo}
                busy={running || pending !== null}
                onEdit={(text) => acts.ask({ text, attachments: [], parentId: message.parent_id, editOf: message })}
              />
            ) : (
              <AnswerView
                key={message.id}
                message={message}
                versions={versions}
                onWalk={walkTo}
                live={live?.messageId === message.id ? live : null}
                model={models.data?.items.find(({ name, aliases }) => name === message.model || aliases.includes(message.model ?? ''))}
                busy={running || pending !== null || acts.again.isPending}
                onRegenerate={() => again('regenerate', message)}
                onContinue={() => again('continue', message)}
              />
            )
          })}
          {pending && (
            <>
              <article className={messagesClasses.mine} aria-label={t.chat.you}>
                <div className={messagesClasses.bubble} dir="auto">{pending.text}</div>
              </article>
              <div className={messagesClasses.waiting} aria-hidden>
                <span />
                <span />
                <span />
              </div>
            </>
          )}
          {acts.failure && (
            <div className={classes.failure}>
              <ErrorPanel error={acts.failure.error} onRetry={acts.failure.retry} />
            </div>
          )}
        </div>
      </div>
      <div className={classes.foot}>
        {!atEnd && (
          <ActionIcon
            variant="default"
            radius="xl"
            size={34}
            className={classes.toEnd}
            aria-label={t.chat.jumpToEnd}
            onClick={goToEnd}
          >
            <IconArrowDown size={17} />
          </ActionIcon>
        )}
        <div className={classes.column}>
          <EmbeddedNotice model={models.data?.items.find(({ name }) => name === model)} />
          <Composer
            key={`${id ?? NEW}:${unsent === null ? '' : 'unsent'}`}
            place={id ?? NEW}
            unsent={unsent?.attachments ?? []}
            models={models.data?.items ?? []}
            model={model}
            onModel={setModel}
            systemPrompt={detail ? (detail.conversation.system_prompt ?? '') : newPrompt}
            onSystemPrompt={setPrompt}
            running={running}
            sending={pending !== null}
            stopping={
              (acts.stop.isPending || acts.stop.isSuccess) && acts.stop.variables === detail?.active_run?.id
            }
            onStop={() => {
              if (detail?.active_run) acts.stop.mutate(detail.active_run.id, { onError: toasts.fail })
            }}
            onSend={(text, attachments) => {
              keepDraft(user.id, id ?? NEW, '')
              goToEnd()
              acts.ask({ text, attachments })
            }}
          />
        </div>
        <div role="status" aria-live="polite" className={classes.announced}>
          {running ? t.chat.answering : hasRun ? t.chat.answerDone : ''}
        </div>
      </div>
    </div>
  )
}

function indexAfter(path: Message[], parentId: string | null): number {
  return parentId === null ? 0 : path.findIndex(({ id }) => id === parentId) + 1
}
