/** Signing in with a provider, linked sign-ins, and setting providers up. */
import { queryOptions } from '@tanstack/react-query'
import { fetchJson, Problem, sendOnly } from './client'
import type { components } from './schema'
import type { Session } from './types'

type Schemas = components['schemas']
export type SignInChoice = Schemas['SignInChoiceBody']
export type LinkedSignIn = Schemas['LinkedSignInBody']
export type LinkedSignIns = Schemas['LinkedSignInsBody']
export type WaitingStep = Schemas['SignInStepBody']
export type SignInProvider = Schemas['SignInProviderBody']
export type SignInProviderFacts = Schemas['SignInProviderFacts']
export type NewSignInProvider = Partial<Schemas['SignInProviderRequest']>
export type SignInProviderChange = Partial<Schemas['SignInProviderChange']>

interface Departure {
  url: string
}

export const listSignInChoices = async (signal?: AbortSignal) =>
  (await fetchJson<{ items: SignInChoice[] }>('/api/v1/session/oidc', { signal })).items

/** Leaves the page for the provider's. */
export async function departTo(provider: string, next: string): Promise<void> {
  const { url } = await fetchJson<Departure>('/api/v1/session/oidc', { method: 'POST', body: { provider, next } })
  window.location.assign(url)
}

/** Leaves the page to link an account at the provider. */
export async function departToLink(provider: string): Promise<void> {
  const { url } = await fetchJson<Departure>('/api/v1/linked-sign-ins', { method: 'POST', body: { provider } })
  window.location.assign(url)
}

export const beginProof = async (provider: string) =>
  (await fetchJson<Departure>('/api/v1/session/proof/oidc', { method: 'POST', body: { provider } })).url

/** What a code in the address of a page means, as an error that the pages can show. */
export async function readSignInProblem(code: string, signal?: AbortSignal): Promise<Problem> {
  const said = await fetchJson<{ code: string; title: string; remedy: string }>('/api/v1/session/oidc/problem', {
    query: { code },
    signal,
  })
  return new Problem({ status: 400, ...said })
}

export const readWaiting = (signal?: AbortSignal) =>
  fetchJson<WaitingStep>('/api/v1/session/oidc/waiting', { signal })

export const goOnWithCode = (code: string) =>
  fetchJson<{ next: string; session: Session }>('/api/v1/session/oidc/code', {
    method: 'POST',
    body: { code },
    expectsUnauthorized: true,
  })

export const listLinks = (signal?: AbortSignal) => fetchJson<LinkedSignIns>('/api/v1/linked-sign-ins', { signal })

export const linkWaiting = () => fetchJson<{ next: string }>('/api/v1/linked-sign-ins/waiting', { method: 'POST' })

export const unlink = (id: string) => sendOnly(`/api/v1/linked-sign-ins/${id}`, { method: 'DELETE' })

const PROVIDERS = '/api/v1/sign-in-providers'

export const listSignInProviders = async (signal?: AbortSignal) =>
  (await fetchJson<{ items: SignInProvider[] }>(PROVIDERS, { signal })).items

export const createSignInProvider = (body: NewSignInProvider) =>
  fetchJson<SignInProvider>(PROVIDERS, { method: 'POST', body })

export const changeSignInProvider = (id: string, body: SignInProviderChange) =>
  fetchJson<SignInProvider>(`${PROVIDERS}/${id}`, { method: 'PATCH', body })

export const deleteSignInProvider = (id: string) => sendOnly(`${PROVIDERS}/${id}`, { method: 'DELETE' })

export const checkSignInProvider = (id: string) =>
  fetchJson<SignInProviderFacts>(`${PROVIDERS}/${id}/check`, { method: 'POST' })

export const choicesQuery = queryOptions({
  queryKey: ['sign-in-choices'],
  queryFn: ({ signal }) => listSignInChoices(signal),
})

export const linksQuery = queryOptions({
  queryKey: ['security', 'links'],
  queryFn: ({ signal }) => listLinks(signal),
})

export const waitingQuery = queryOptions({
  queryKey: ['sign-in-waiting'],
  queryFn: ({ signal }) => readWaiting(signal),
  staleTime: 0,
  retry: false,
})

export const problemQuery = (code: string) =>
  queryOptions({
    queryKey: ['sign-in-problem', code],
    queryFn: ({ signal }) => readSignInProblem(code, signal),
    staleTime: Infinity,
    retry: false,
  })

export const signInProvidersQuery = queryOptions({
  queryKey: ['sign-in-providers'],
  queryFn: ({ signal }) => listSignInProviders(signal),
})
