import { fetchJson } from './client'
import type { Balance, Entry, Page, Usage } from './types'

export const readBalance = (signal?: AbortSignal) => fetchJson<Balance>('/api/v1/credits', { signal })

export const listEntries = (cursor: string | null, signal?: AbortSignal) =>
  fetchJson<Page<Entry>>('/api/v1/credits/entries', { query: { cursor }, signal })

export const readUsage = (days: number, signal?: AbortSignal) =>
  fetchJson<Usage>('/api/v1/credits/usage', { query: { days }, signal })

export const grantCredits = (userId: string, body: { amount: string; reason: string }, key: string) =>
  fetchJson<Entry>(`/api/v1/users/${userId}/credits`, { method: 'POST', body, headers: { 'idempotency-key': key } })
