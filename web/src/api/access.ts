import { queryOptions } from '@tanstack/react-query'
import { fetchJson, sendOnly } from './client'
import type { components } from './schema'
import type { Page } from './types'

type Schemas = components['schemas']

export type Role = Schemas['RoleBody']
export type Permission = Schemas['PermissionBody']
export type RoleGrant = Schemas['RoleGrantBody']
export type Explanation = Schemas['ExplanationBody']
export type Reason = Schemas['ReasonBody']
export type ModelGrant = Schemas['ModelGrantBody']

export const rolesQuery = queryOptions({
  queryKey: ['roles'],
  queryFn: ({ signal }) => fetchJson<{ items: Role[] }>('/api/v1/roles', { signal }),
})

export const permissionsQuery = queryOptions({
  queryKey: ['permissions'],
  queryFn: ({ signal }) => fetchJson<{ items: Permission[] }>('/api/v1/permissions', { signal }),
  staleTime: 5 * 60_000,
})

export interface RoleWish {
  name: string
  title: string
  permissions: string[]
  parent_id: string | null
}

export const createRole = (body: RoleWish) => fetchJson<Role>('/api/v1/roles', { method: 'POST', body })

export const changeRole = (id: string, body: Partial<RoleWish>) =>
  fetchJson<Role>(`/api/v1/roles/${id}`, { method: 'PATCH', body })

export const deleteRole = (id: string) => sendOnly(`/api/v1/roles/${id}`, { method: 'DELETE' })

export const listRolePeople = (id: string, cursor: string | null, signal?: AbortSignal) =>
  fetchJson<Page<RoleGrant>>(`/api/v1/roles/${id}/people`, { query: { cursor }, signal })

export const listUserRoles = (id: string, signal?: AbortSignal) =>
  fetchJson<{ items: RoleGrant[] }>(`/api/v1/users/${id}/roles`, { signal })

export interface GrantWish {
  expires_at: string | null
  reason: string
}

export const giveRole = (id: string, body: GrantWish & { role_id: string }) =>
  fetchJson<RoleGrant>(`/api/v1/users/${id}/roles`, { method: 'POST', body })

export const takeRole = (id: string, role: string) => sendOnly(`/api/v1/users/${id}/roles/${role}`, { method: 'DELETE' })

export const explainAccess = (id: string, permission: string, resource: string, signal?: AbortSignal) =>
  fetchJson<Explanation>(`/api/v1/users/${id}/access`, { query: { permission, resource }, signal })

export const listModelGrants = (id: string, signal?: AbortSignal) =>
  fetchJson<{ items: ModelGrant[] }>(`/api/v1/models/${id}/grants`, { signal })

export type ModelGrantWish = GrantWish & {
  permission: 'models:use' | 'models:share'
  email?: string
  role?: string
}

export const shareModel = (id: string, body: ModelGrantWish) =>
  fetchJson<ModelGrant>(`/api/v1/models/${id}/grants`, { method: 'POST', body })

export const unshareModel = (id: string, grant: string) =>
  sendOnly(`/api/v1/models/${id}/grants/${grant}`, { method: 'DELETE' })
