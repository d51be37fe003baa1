import { fetchJson, sendOnly } from './client'
import type { Account, Locale, Role, Session, Theme, User } from './types'

export const readSetup = (signal?: AbortSignal) => fetchJson<{ needed: boolean }>('/api/v1/setup', { signal })

export const createAdministrator = (body: { token: string; email: string; name: string; password: string }) =>
  fetchJson<Session>('/api/v1/setup', { method: 'POST', body, expectsUnauthorized: true })

export const readSession = (signal?: AbortSignal) =>
  fetchJson<Session>('/api/v1/session', { signal, expectsUnauthorized: true })

export const signIn = (body: { email: string; password: string; code?: string }) =>
  fetchJson<Session>('/api/v1/session', { method: 'POST', body, expectsUnauthorized: true })

export const signOut = () => sendOnly('/api/v1/session', { method: 'DELETE' })

export const changeMe = (body: { name?: string; locale?: Locale; theme?: Theme }) =>
  fetchJson<Account>('/api/v1/me', { method: 'PATCH', body })

export const changePassword = (body: { current_password?: string; new_password: string }) =>
  sendOnly('/api/v1/me/password', { method: 'POST', body, expectsUnauthorized: true })

export const createUser = (body: { email: string; name: string; password: string; roles: string[] }) =>
  fetchJson<User>('/api/v1/users', { method: 'POST', body })

export const changeUser = (id: string, body: { name?: string; active?: boolean; revoke_keys?: boolean; roles?: string[] }) =>
  fetchJson<User>(`/api/v1/users/${id}`, { method: 'PATCH', body })

export const listRoles = (signal?: AbortSignal) => fetchJson<{ items: Role[] }>('/api/v1/roles', { signal })
