/** What the hub holds about somebody, a copy of it, and its end. */
import { fetchJson, sendOnly } from './client'
import type { components } from './schema'

type Schemas = components['schemas']

export type Privacy = Schemas['PrivacyBody']
export type Holding = Schemas['HoldingBody']
export type DataExport = Schemas['ExportBody']
export type Deletion = Schemas['DeletionBody']

export interface Certificate {
  pseudonym: string
  hub: string
  asked_by: string
  asked_at: string
  erased_at: string
  erased: { data: string; title: string; rows: number }[]
  kept: { data: string; title: string; rows: number; why: string; made_anonymous: string }[]
}

export function readPrivacy(signal: AbortSignal): Promise<Privacy> {
  return fetchJson('/api/v1/me/privacy', { signal })
}

export function askForExport(): Promise<DataExport> {
  return fetchJson('/api/v1/me/exports', { method: 'POST' })
}

export function deleteExport(id: string): Promise<void> {
  return sendOnly(`/api/v1/me/exports/${id}`, { method: 'DELETE' })
}

/** Where the browser fetches the file itself, so that it need not fit into memory. */
export function exportFile(id: string): string {
  return `/api/v1/me/exports/${id}/file`
}

export function readDeletion(signal: AbortSignal): Promise<Deletion | null> {
  return fetchJson('/api/v1/me/deletion', { signal })
}

export function requestDeletion(confirmation: string): Promise<Deletion> {
  return fetchJson('/api/v1/me/deletion', { method: 'POST', body: { confirmation } })
}

export function keepAccount(): Promise<void> {
  return sendOnly('/api/v1/me/deletion', { method: 'DELETE' })
}

export function orderExport(userId: string, reason: string): Promise<DataExport> {
  return fetchJson(`/api/v1/users/${userId}/exports`, { method: 'POST', body: { reason } })
}

export interface DeletionOrder {
  reason: string
  immediately: boolean
  confirmation: string
}

export function orderDeletion(userId: string, order: DeletionOrder): Promise<Deletion> {
  return fetchJson(`/api/v1/users/${userId}/deletion`, { method: 'POST', body: order })
}

export function keepSomebody(userId: string): Promise<void> {
  return sendOnly(`/api/v1/users/${userId}/deletion`, { method: 'DELETE' })
}

export async function openCertificate(token: string): Promise<Certificate> {
  const { certificate } = await fetchJson<{ certificate: unknown }>('/api/v1/certificates/open', {
    method: 'POST',
    body: { token },
  })
  return certificate as Certificate
}
