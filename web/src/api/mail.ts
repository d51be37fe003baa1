/** Invitations, links that were sent by e-mail, and the outbox. */
import { fetchJson, sendOnly } from './client'
import type { components } from './schema'
import type { Locale, Page } from './types'

type Schemas = components['schemas']
export type Invitation = Schemas['InvitationBody']
export type Letter = Schemas['LetterBody']
export type LetterText = Schemas['LetterTextBody']
export type Strength = Schemas['StrengthBody']
export type Outbox = Page<Letter> & { delivers: boolean }

export interface InvitationWish {
  email: string
  name: string
  roles: string[]
  locale: Locale
}

export const listInvitations = (cursor: string | null, signal?: AbortSignal) =>
  fetchJson<Page<Invitation>>('/api/v1/invitations', { query: { cursor }, signal })

export const inviteOne = (body: InvitationWish) =>
  fetchJson<Invitation>('/api/v1/invitations', { method: 'POST', body })

export const resendInvitation = (id: string) =>
  fetchJson<Invitation>(`/api/v1/invitations/${id}/resend`, { method: 'POST' })

export const revokeInvitation = (id: string) => sendOnly(`/api/v1/invitations/${id}`, { method: 'DELETE' })

export const readInvitation = (token: string, signal?: AbortSignal) =>
  fetchJson<Schemas['InvitedBody']>('/api/v1/invitation', { method: 'POST', body: { token }, signal })

export const acceptInvitation = (body: { token: string; name: string; password: string; locale: Locale }) =>
  fetchJson<{ email: string }>('/api/v1/invitation/accept', { method: 'POST', body })

export const askForReset = (email: string) => sendOnly('/api/v1/password-reset', { method: 'POST', body: { email } })

export const completeReset = (body: { token: string; new_password: string }) =>
  sendOnly('/api/v1/password-reset/complete', { method: 'POST', body })

export const sendVerification = (body: { email?: string }) =>
  fetchJson<{ email: string }>('/api/v1/me/email', { method: 'POST', body, expectsUnauthorized: true })

export const verifyEmail = (token: string) =>
  fetchJson<{ email: string }>('/api/v1/email-verification', { method: 'POST', body: { token } })

export const ratePassword = (body: { password: string; email: string; name: string }, signal?: AbortSignal) =>
  fetchJson<Strength>('/api/v1/password-strength', { method: 'POST', body, signal })

export const listLetters = (status: string, cursor: string | null, signal?: AbortSignal) =>
  fetchJson<Outbox>('/api/v1/outbox', { query: { status, cursor }, signal })

export const readLetter = (id: string, signal?: AbortSignal) =>
  fetchJson<LetterText>(`/api/v1/outbox/${id}`, { signal })

export const retryLetter = (id: string) => sendOnly(`/api/v1/outbox/${id}/retry`, { method: 'POST' })
