/** API keys: one's own, and those of others for administrators. */
import { fetchJson, sendOnly } from './client'
import type { components } from './schema'
import type { Key, NewKey, Page } from './types'

type Schemas = components['schemas']
export type KeyWish = Pick<Schemas['KeyRequest'], 'name'> & Partial<Schemas['KeyRequest']>
export type KeyChange = Partial<Schemas['KeyChange']>
export type BudgetPeriod = Schemas['BudgetRequest']['period']

export const listKeys = (cursor: string | null, signal?: AbortSignal) =>
  fetchJson<Page<Key>>('/api/v1/keys', { query: { cursor }, signal })

export const createKey = (body: KeyWish) => fetchJson<NewKey>('/api/v1/keys', { method: 'POST', body })

export const changeKey = (id: string, body: KeyChange) =>
  fetchJson<Key>(`/api/v1/keys/${id}`, { method: 'PATCH', body })

export const rotateKey = (id: string, overlap_days: number) =>
  fetchJson<NewKey>(`/api/v1/keys/${id}/rotate`, { method: 'POST', body: { overlap_days } })

export const revokeKey = (id: string) => sendOnly(`/api/v1/keys/${id}`, { method: 'DELETE' })

export const listKeysOf = (user: string, cursor: string | null, signal?: AbortSignal) =>
  fetchJson<Page<Key>>(`/api/v1/users/${user}/keys`, { query: { cursor }, signal })

export const revokeKeyOf = (user: string, id: string) =>
  sendOnly(`/api/v1/users/${user}/keys/${id}`, { method: 'DELETE' })
