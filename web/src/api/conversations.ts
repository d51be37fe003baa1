import { address, fetchJson, sendOnly } from './client'
import type { Conversation, ConversationDetail, Page, Run, SharedConversation, Started } from './types'

const base = '/api/v1/conversations'

export const listConversations = (search: string, cursor: string | null, signal?: AbortSignal) =>
  fetchJson<Page<Conversation>>(base, { query: { search, cursor, limit: 50 }, signal })

export const createConversation = (body: { title?: string; model?: string; system_prompt?: string }) =>
  fetchJson<Conversation>(base, { method: 'POST', body })

export const readConversation = (id: string, signal?: AbortSignal) =>
  fetchJson<ConversationDetail>(`${base}/${id}`, { signal })

export interface Attached {
  name: string
  size: number
  text: string
}

export interface ConversationChange {
  title?: string
  model?: string | null
  system_prompt?: string | null
  current_message_id?: string
}

export const changeConversation = (id: string, body: ConversationChange) =>
  fetchJson<Conversation>(`${base}/${id}`, { method: 'PATCH', body })

export const deleteConversation = (id: string) => sendOnly(`${base}/${id}`, { method: 'DELETE' })

export const restoreConversation = (id: string) => sendOnly(`${base}/${id}/restore`, { method: 'POST' })

export interface Question {
  text: string
  /** Absent: after the current message. Null: a new beginning. */
  parent_id?: string | null
  attachments?: { name: string; text: string }[]
  model?: string
}

export const ask = (conversationId: string, body: Question, key: string) =>
  fetchJson<Started>(`${base}/${conversationId}/messages`, {
    method: 'POST',
    body,
    headers: { 'idempotency-key': key },
  })

export const regenerate = (conversationId: string, messageId: string, body: { model?: string }) =>
  fetchJson<Started>(`${base}/${conversationId}/messages/${messageId}/regenerate`, { method: 'POST', body })

export const continueAnswer = (conversationId: string, messageId: string) =>
  fetchJson<Started>(`${base}/${conversationId}/messages/${messageId}/continue`, { method: 'POST', body: {} })

export const readRun = (id: string, signal?: AbortSignal) => fetchJson<Run>(`/api/v1/runs/${id}`, { signal })

export const stopRun = (id: string) => sendOnly(`/api/v1/runs/${id}/stop`, { method: 'POST' })

export const share = (id: string) => fetchJson<{ url: string; token: string }>(`${base}/${id}/share`, { method: 'POST' })

export const unshare = (id: string) => sendOnly(`${base}/${id}/share`, { method: 'DELETE' })

/** A page of a shared conversation: from its beginning, or from the message that `cursor` names. */
export const readShared = (token: string, cursor: string | null, signal?: AbortSignal) =>
  fetchJson<SharedConversation>(`/api/v1/shared/${encodeURIComponent(token)}${cursor ? `?cursor=${cursor}` : ''}`, {
    signal,
    expectsUnauthorized: true,
  })

/** The files of one question with their text; only the export of the whole conversation holds it. */
export async function attachmentsOf(id: string, messageId: string): Promise<Attached[]> {
  const whole = await fetchJson<{ messages: { id: string; attachments: Attached[] }[] }>(exportAddress(id, 'json'))
  return whole.messages.find((message) => message.id === messageId)?.attachments ?? []
}

export const exportAddress = (id: string, format: 'markdown' | 'json') => address(`${base}/${id}/export`, { format })
