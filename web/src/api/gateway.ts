import { fetchJson, sendOnly, upload, type Progressing } from './client'
import type { components } from './schema'
import type { EmbeddedState, Model, ModelFile, ModelFiles, Page, Provider, ProviderTest } from './types'

type Schemas = components['schemas']

export const listModels = (signal?: AbortSignal) =>
  fetchJson<Page<Model>>('/api/v1/models', { query: { limit: 200 }, signal })

export type ModelWish = Pick<Schemas['NewModel'], 'name' | 'provider_id' | 'upstream_name'> & Partial<Schemas['NewModel']>

export const createModel = (body: ModelWish) => fetchJson<Model>('/api/v1/models', { method: 'POST', body })

export const changeModel = (id: string, body: Partial<Schemas['ModelChanges']>) =>
  fetchJson<Model>(`/api/v1/models/${id}`, { method: 'PATCH', body })

export const deleteModel = (id: string) => sendOnly(`/api/v1/models/${id}`, { method: 'DELETE' })

export const listProviders = (signal?: AbortSignal) =>
  fetchJson<Page<Provider>>('/api/v1/providers', { query: { limit: 200 }, signal })

export type ProviderWish = Pick<Schemas['NewProvider'], 'name' | 'kind'> & Partial<Schemas['NewProvider']>

export const createProvider = (body: ProviderWish) =>
  fetchJson<Provider>('/api/v1/providers', { method: 'POST', body })

export const changeProvider = (id: string, body: Partial<Schemas['ProviderChanges']>) =>
  fetchJson<Provider>(`/api/v1/providers/${id}`, { method: 'PATCH', body })

export const deleteProvider = (id: string) => sendOnly(`/api/v1/providers/${id}`, { method: 'DELETE' })

export const testProvider = (id: string) =>
  fetchJson<ProviderTest>(`/api/v1/providers/${id}/test`, { method: 'POST' })

export const readEmbedded = (signal?: AbortSignal) => fetchJson<EmbeddedState>('/api/v1/embedded', { signal })

const files = '/api/v1/embedded/files'

export const listModelFiles = (signal?: AbortSignal) => fetchJson<ModelFiles>(files, { signal })

export const uploadModelFile = (name: string, file: File, progressing: Progressing) =>
  upload<ModelFile>(files, { name }, file, progressing)

export const deleteModelFile = (name: string) =>
  sendOnly(`${files}/${encodeURIComponent(name)}`, { method: 'DELETE' })

/** Null: the demonstration model. */
export const chooseModelFile = (file: string | null) =>
  fetchJson<EmbeddedState>('/api/v1/embedded/choice', { method: 'PUT', body: { file } })
