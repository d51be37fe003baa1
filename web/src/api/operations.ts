import { fetchJson, sendOnly } from './client'
import type { Job, Page, Setting } from './types'

export const listJobs = (status: string, cursor: string | null, signal?: AbortSignal) =>
  fetchJson<Page<Job>>('/api/v1/jobs', { query: { status, cursor }, signal })

export const retryJob = (id: Job['id']) => sendOnly(`/api/v1/jobs/${id}/retry`, { method: 'POST' })

export const listSettings = (signal?: AbortSignal) =>
  fetchJson<{ items: Setting[] }>('/api/v1/settings', { signal })
