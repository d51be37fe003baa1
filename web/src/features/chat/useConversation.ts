import { useMutation, useQueryClient, type QueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { idempotencyKey } from '@/api/client'
import {
  ask,
  attachmentsOf,
  changeConversation,
  continueAnswer,
  createConversation,
  regenerate,
  stopRun,
  type ConversationChange,
} from '@/api/conversations'
import type { Conversation, ConversationDetail, Message, Started } from '@/api/types'
import { useSession } from '@/ui/session'
import type { Attachment } from './attachments'
import { keepDraft, NEW, readDraft } from './drafts'
import { conversationQuery } from './queries'

function withMessages(messages: Message[], arrived: Message[]): Message[] {
  const ids = new Set(arrived.map(({ id }) => id))
  return [...messages.filter(({ id }) => !ids.has(id)), ...arrived]
}

/** Puts what a 202 told into the conversation on show, so that the page need not ask again. */
function take(client: QueryClient, conversation: Conversation, started: Started): void {
  const key = conversationQuery(conversation.id).queryKey
  const arrived = started.user_message
    ? [started.user_message, started.assistant_message]
    : [started.assistant_message]
  // An answer to an older question may be on its way; it must not overwrite this one.
  void client.cancelQueries({ queryKey: key })
  client.setQueryData(key, (before): ConversationDetail => {
    const base = before ?? { conversation, messages: [], active_run: null }
    return {
      conversation: { ...base.conversation, current_message_id: started.assistant_message.id },
      messages: withMessages(base.messages, arrived),
      active_run: started.run,
    }
  })
}

export interface Wish {
  text: string
  attachments: Attachment[]
  /** Absent: after the current message. Null: a new beginning. */
  parentId?: string | null
  /** The question that this one is an edit of: its files come along. */
  editOf?: Message
}

/** What a conversation that does not exist yet will begin with. */
export interface Beginning {
  model: string | null
  systemPrompt: string
}

interface Failure {
  place: string | null
  error: unknown
  wish: Wish
  retry: () => void
}

/** A new conversation, known to the page before its first message is. */
async function begin(client: QueryClient, { model, systemPrompt }: Beginning): Promise<Conversation> {
  const conversation = await createConversation({
    ...(model === null ? {} : { model }),
    ...(systemPrompt.trim() === '' ? {} : { system_prompt: systemPrompt.trim() }),
  })
  client.setQueryData(conversationQuery(conversation.id).queryKey, { conversation, messages: [], active_run: null })
  return conversation
}

/** The acts of one conversation. `pending` is a question on its way to the server. */
export function useConversationActs(detail: ConversationDetail | undefined, beginning: Beginning) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const { user } = useSession()
  const here = detail?.conversation.id ?? null
  const [pending, setPending] = useState<{ place: string | null; wish: Wish } | null>(null)
  const [failure, setFailure] = useState<Failure | null>(null)

  const attempt = async (wish: Wish, key: string, begun: Conversation | undefined): Promise<void> => {
    setFailure(null)
    setPending({ place: begun?.id ?? null, wish })
    let conversation = begun
    try {
      conversation ??= await begin(client, beginning)
      const files =
        wish.editOf !== undefined && wish.editOf.attachments.length > 0
          ? await attachmentsOf(conversation.id, wish.editOf.id)
          : wish.attachments
      const started = await ask(
        conversation.id,
        {
          text: wish.text,
          ...(wish.parentId === undefined ? {} : { parent_id: wish.parentId }),
          ...(files.length === 0 ? {} : { attachments: files.map(({ name, text }) => ({ name, text })) }),
        },
        key,
      )
      take(client, conversation, started)
      keepDraft(user.id, begun?.id ?? NEW, '')
    } catch (error) {
      const reached = conversation
      const place = reached?.id ?? NEW
      const retry = () => {
        // The question leaves the box with the second try, unless it was changed there meanwhile.
        if (wish.parentId === undefined && readDraft(user.id, place) === wish.text) keepDraft(user.id, place, '')
        void attempt(wish, key, reached)
      }
      setFailure({ place: reached?.id ?? null, error, wish, retry })
      if (begun === undefined && reached !== undefined) keepDraft(user.id, NEW, '')
      if (wish.parentId === undefined && readDraft(user.id, place) === '') keepDraft(user.id, place, wish.text)
    }
    // The first question gives a conversation its name.
    if (conversation?.title === '') void client.invalidateQueries({ queryKey: ['conversations'] })
    if (conversation !== undefined && begun === undefined) {
      await navigate(`/chat/${conversation.id}`)
    }
    setPending(null)
  }

  const again = useMutation({
    mutationFn: async (act: { kind: 'regenerate' | 'continue'; message: Message; model: string | null }) => {
      if (detail === undefined) return
      const { id } = detail.conversation
      const started =
        act.kind === 'regenerate'
          ? await regenerate(id, act.message.id, act.model === null ? {} : { model: act.model })
          : await continueAnswer(id, act.message.id)
      take(client, detail.conversation, started)
    },
  })

  const stop = useMutation({ mutationFn: (runId: string) => stopRun(runId) })

  return {
    // Both belong to the conversation in which they came about, also when another one is on show by now.
    pending: pending?.place === here ? pending.wish : null,
    failure: failure?.place === here ? failure : null,
    ask: (wish: Wish) => void attempt(wish, idempotencyKey(), detail?.conversation),
    again,
    stop,
  }
}

/** Changes a conversation: the page shows it at once, and takes it back if the server refuses. */
export function useChangeConversation() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ id, change }: { id: string; change: ConversationChange }) => changeConversation(id, change),
    onMutate: async ({ id, change }) => {
      const key = conversationQuery(id).queryKey
      await client.cancelQueries({ queryKey: key })
      const before = client.getQueryData(key)
      client.setQueryData(key, (detail) =>
        detail ? { ...detail, conversation: { ...detail.conversation, ...change } } : detail,
      )
      return { before }
    },
    onError: (_error, { id }, context) => {
      if (context?.before) client.setQueryData(conversationQuery(id).queryKey, context.before)
    },
    onSuccess: (conversation, { change }) => {
      client.setQueryData(conversationQuery(conversation.id).queryKey, (detail) =>
        detail ? { ...detail, conversation: { ...detail.conversation, ...conversation } } : detail,
      )
      if (change.title !== undefined) void client.invalidateQueries({ queryKey: ['conversations'] })
    },
  })
}
