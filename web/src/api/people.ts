/** People as administrators look after them: many at a glance, and many at once. */
import { address, fetchJson } from './client'
import type { components } from './schema'
import type { Locale, Page } from './types'

type Schemas = components['schemas']
export type Person = Schemas['PersonBody']
export type Statistics = Schemas['StatisticsBody']
export type Switched = Schemas['SwitchedBody']
export type Guest = Schemas['GuestBody']

/** Which people; what is empty does not matter. */
export interface PeopleFilter {
  search: string
  role: string
  active: string
  second_factor: string
  never_signed_in: string
}

export const listPeople = (filter: PeopleFilter, cursor: string | null, signal?: AbortSignal) =>
  fetchJson<Page<Person>>('/api/v1/users', { query: { ...filter, cursor }, signal })

export const suggestPeople = (search: string, signal?: AbortSignal) =>
  fetchJson<Page<Person>>('/api/v1/users', { query: { search, limit: 6 }, signal })

export const readPerson = (id: string, signal?: AbortSignal) => fetchJson<Person>(`/api/v1/users/${id}`, { signal })

export const readStatistics = (signal?: AbortSignal) =>
  fetchJson<Statistics>('/api/v1/users/statistics', { signal })

export const switchPeople = (body: { user_ids: string[]; active: boolean; revoke_keys?: boolean }) =>
  fetchJson<{ items: Switched[] }>('/api/v1/users/bulk', { method: 'POST', body })

export const exportAddress = (filter: PeopleFilter) => address('/api/v1/users/export', { ...filter })

export const previewGuests = (csv: string, locale: Locale) =>
  fetchJson<{ items: Guest[] }>('/api/v1/invitations/bulk/preview', {
    method: 'POST',
    query: { locale },
    text: { type: 'text/csv', content: csv },
  })

export const inviteGuests = (guests: Guest[], locale: Locale, key: string) =>
  fetchJson<{ items: Guest[] }>('/api/v1/invitations/bulk', {
    method: 'POST',
    headers: { 'idempotency-key': key },
    body: { locale, items: guests.map(({ line, email, name, roles, locale }) => ({ line, email, name, roles, locale })) },
  })
