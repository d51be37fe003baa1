/** The audit trail, everybody's own part of it, and security events. */
import { fetchJson, send } from './client'
import type { components } from './schema'
import type { Page } from './types'

type Schemas = components['schemas']
export type AuditEntry = Schemas['AuditEntryBody']
export type Activity = Schemas['ActivityBody']
export type Verifications = Schemas['AuditVerificationsBody']
export type SecurityEvent = Schemas['SecurityEventBody']
export type Severity = SecurityEvent['severity']
export type EventCount = Schemas['EventCountBody']
export type Changes = Record<string, unknown[]>

export const FILTERS = ['q', 'action', 'actor', 'ip', 'target_kind', 'target_id', 'since', 'until'] as const
export type AuditFilter = Partial<Record<(typeof FILTERS)[number], string>>

/** Days as people choose them, the last one included, as the instants that the hub compares. */
export function instants({ since, until, ...rest }: AuditFilter): AuditFilter {
  const filter: AuditFilter = rest
  const from = since === undefined ? null : new Date(`${since}T00:00`)
  const to = until === undefined ? null : new Date(`${until}T00:00`)
  if (from !== null && !Number.isNaN(from.getTime())) filter.since = from.toISOString()
  if (to !== null && !Number.isNaN(to.getTime())) {
    to.setDate(to.getDate() + 1)
    filter.until = to.toISOString()
  }
  return filter
}

export const listAudit = (filter: AuditFilter, cursor: string | null, signal?: AbortSignal) =>
  fetchJson<Page<AuditEntry>>('/api/v1/audit', { query: { ...instants(filter), cursor }, signal })

export const readEntry = (id: string, signal?: AbortSignal) =>
  fetchJson<AuditEntry>(`/api/v1/audit/entries/${encodeURIComponent(id)}`, { signal })

export const listActions = (signal?: AbortSignal) => fetchJson<{ items: string[] }>('/api/v1/audit/actions', { signal })

export const readVerification = (signal?: AbortSignal) =>
  fetchJson<Verifications>('/api/v1/audit/verification', { signal })

export const beginVerification = () => fetchJson<Verifications>('/api/v1/audit/verification', { method: 'POST' })

/** Asks for a fresh proof when one is needed, then hands the file to the browser. */
export async function exportAudit(format: 'csv' | 'jsonl', filter: AuditFilter): Promise<void> {
  const response = await send('/api/v1/audit/export', { method: 'POST', body: { format, ...instants(filter) } })
  const address = URL.createObjectURL(await response.blob())
  const link = document.createElement('a')
  link.href = address
  link.download = `audit.${format}`
  link.click()
  URL.revokeObjectURL(address)
}

export const listActivity = (cursor: string | null, signal?: AbortSignal) =>
  fetchJson<Page<Activity>>('/api/v1/me/activity', { query: { cursor }, signal })

export interface EventFilter {
  kind: string
  severity: string
  q: string
}

export const listSecurityEvents = (filter: EventFilter, cursor: string | null, signal?: AbortSignal) =>
  fetchJson<Page<SecurityEvent>>('/api/v1/security-events', { query: { ...filter, cursor }, signal })

export const countSecurityEvents = (signal?: AbortSignal) =>
  fetchJson<{ items: EventCount[] }>('/api/v1/security-events/counts', { query: { hours: 24 }, signal })
