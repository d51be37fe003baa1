/** Devices, fresh proofs, passkeys and authenticator apps. */
import { queryOptions } from '@tanstack/react-query'
import { fetchJson, sendOnly } from './client'
import type { Device, Enrolment, Passkey, SecondFactor, Session } from './types'

interface Ask {
  challenge_id: string
  options: Record<string, unknown>
}

export interface PasskeyAnswer {
  challenge_id: string
  credential: unknown
}

/** Why passkeys cannot be used on this page: the address is made of numbers, or the browser has none. */
export function passkeyObstacle(): 'address' | 'browser' | null {
  const { hostname } = window.location
  if (/^[\d.]+$/.test(hostname) || hostname.startsWith('[')) return 'address'
  const known = 'PublicKeyCredential' in window && 'parseCreationOptionsFromJSON' in PublicKeyCredential
  return known ? null : 'browser'
}

/** The same page where passkeys work, when the hub runs on the reader's own machine. */
export function passkeyAddress(): string | null {
  const { hostname, port, protocol } = window.location
  if (!hostname.startsWith('127.') && hostname !== '[::1]') return null
  return `${protocol}//localhost${port === '' ? '' : `:${port}`}`
}

/** Whether the person closed the browser's dialog, or let it time out. */
export function wasCancelled(error: unknown): boolean {
  return error instanceof DOMException && (error.name === 'NotAllowedError' || error.name === 'AbortError')
}

async function answerTo(ask: Ask, how: CredentialRequestOptions = {}): Promise<PasskeyAnswer> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
    ask.options as unknown as PublicKeyCredentialRequestOptionsJSON,
  )
  const credential = (await navigator.credentials.get({ ...how, publicKey })) as PublicKeyCredential
  return { challenge_id: ask.challenge_id, credential: credential.toJSON() }
}

/** One of the person's passkeys, for `enterWithPasskey`. */
export async function pickPasskey(how: CredentialRequestOptions = {}): Promise<PasskeyAnswer> {
  const ask = await fetchJson<Ask>('/api/v1/session/passkey/options', { method: 'POST', expectsUnauthorized: true })
  return answerTo(ask, how)
}

export const enterWithPasskey = (body: PasskeyAnswer) =>
  fetchJson<Session>('/api/v1/session/passkey', { method: 'POST', body, expectsUnauthorized: true })

/** Whether the browser can list passkeys where one types one's address. */
export async function mayListPasskeys(): Promise<boolean> {
  if (passkeyObstacle() !== null || !('isConditionalMediationAvailable' in PublicKeyCredential)) return false
  return PublicKeyCredential.isConditionalMediationAvailable()
}

export async function addPasskey(name: string): Promise<Passkey> {
  const ask = await fetchJson<Ask>('/api/v1/passkey-options', { method: 'POST' })
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
    ask.options as unknown as PublicKeyCredentialCreationOptionsJSON,
  )
  const credential = (await navigator.credentials.create({ publicKey })) as PublicKeyCredential
  const body = { challenge_id: ask.challenge_id, credential: credential.toJSON() as unknown, name }
  return fetchJson<Passkey>('/api/v1/passkeys', { method: 'POST', body })
}

export const listPasskeys = async (signal?: AbortSignal) =>
  (await fetchJson<{ items: Passkey[] }>('/api/v1/passkeys', { signal })).items

export const renamePasskey = (id: string, name: string) =>
  fetchJson<Passkey>(`/api/v1/passkeys/${id}`, { method: 'PATCH', body: { name } })

export const removePasskey = (id: string) => sendOnly(`/api/v1/passkeys/${id}`, { method: 'DELETE' })

const prove = (body: { password: string } | { code: string } | { passkey: PasskeyAnswer }) =>
  sendOnly('/api/v1/session/proof', { method: 'POST', body, expectsUnauthorized: true })

export const proveWithPassword = (password: string) => prove({ password })

export const proveWithCode = (code: string) => prove({ code })

export async function proveWithPasskey(): Promise<void> {
  const ask = await fetchJson<Ask>('/api/v1/session/proof/options', { method: 'POST' })
  await prove({ passkey: await answerTo(ask) })
}

export const readSecondFactor = (signal?: AbortSignal) => fetchJson<SecondFactor>('/api/v1/second-factor', { signal })

export const secondFactorQuery = queryOptions({
  queryKey: ['security', 'second-factor'],
  queryFn: ({ signal }) => readSecondFactor(signal),
})

export const beginTotp = () => fetchJson<Enrolment>('/api/v1/second-factor/totp', { method: 'POST' })

export const confirmTotp = async (code: string) =>
  (
    await fetchJson<{ recovery_codes: string[] }>('/api/v1/second-factor/totp/confirm', {
      method: 'POST',
      body: { code },
    })
  ).recovery_codes

export const removeTotp = () => sendOnly('/api/v1/second-factor/totp', { method: 'DELETE' })

export const replaceRecoveryCodes = async () =>
  (await fetchJson<{ recovery_codes: string[] }>('/api/v1/second-factor/recovery-codes', { method: 'POST' }))
    .recovery_codes

export const listDevices = async (signal?: AbortSignal) =>
  (await fetchJson<{ items: Device[] }>('/api/v1/sessions', { signal })).items

export const endDevice = (id: string) => sendOnly(`/api/v1/sessions/${id}`, { method: 'DELETE' })

export const endOtherDevices = () => fetchJson<{ ended: number }>('/api/v1/sessions', { method: 'DELETE' })

export const forceSignOut = (userId: string) =>
  fetchJson<{ ended: number }>(`/api/v1/users/${userId}/sessions`, { method: 'DELETE' })

export const resetSecondFactor = (userId: string) =>
  sendOnly(`/api/v1/users/${userId}/second-factor`, { method: 'DELETE' })
