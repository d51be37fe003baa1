/** One way to the server: same origin, the session's cookie, the CSRF token on unsafe methods. */

export interface FieldError {
  field: string
  message: string
  code?: string
}

/** What the server (or the lack of one) said, in RFC 9457's words. */
export class Problem extends Error {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail: string | null
  readonly remedy: string | null
  readonly requestId: string | null
  readonly errors: FieldError[]

  constructor(fields: {
    status: number
    code: string
    title: string
    detail?: string | null
    remedy?: string | null
    requestId?: string | null
    errors?: FieldError[]
  }) {
    super(fields.detail ?? fields.title)
    this.name = 'Problem'
    this.status = fields.status
    this.code = fields.code
    this.title = fields.title
    this.detail = fields.detail ?? null
    this.remedy = fields.remedy ?? null
    this.requestId = fields.requestId ?? null
    this.errors = fields.errors ?? []
  }

  fieldError(field: string): string | null {
    return this.errors.find((error) => error.field === field || error.field.endsWith(`.${field}`))?.message ?? null
  }
}

/** The server was not reached at all; the interface words it in the reader's language. */
export const UNREACHABLE = 'client.unreachable'

let csrfToken: string | null = null
let onSignedOut: () => void = () => undefined

export function setCsrfToken(token: string | null): void {
  csrfToken = token
}

/** Called whenever the server no longer knows the session. */
export function setSignedOutHandler(handler: () => void): void {
  onSignedOut = handler
}

let onDenied: () => void = () => undefined

/** Called when the server refuses what the page thought its reader may do. */
export function setDeniedHandler(handler: () => void): void {
  onDenied = handler
}

const FORBIDDEN = 'auth.forbidden'
/** What the server asks for before a step that only the person themselves may take. */
const FRESH_PROOF_NEEDED = 'auth.fresh_proof_needed'
const SECOND_FACTOR_NEEDED = 'auth.second_factor_needed'
const ACCOUNT_LEAVING = 'account.leaving'
let onProofNeeded: () => Promise<boolean> = () => Promise.resolve(false)

/** Called to ask the person for a fresh proof; tells whether they gave one. */
export function setProofHandler(handler: () => Promise<boolean>): void {
  onProofNeeded = handler
}

export interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  body?: unknown
  /** A body that is sent as it is, such as a list in CSV. */
  text?: { type: string; content: string }
  query?: Record<string, string | number | null | undefined>
  headers?: Record<string, string>
  signal?: AbortSignal | undefined
  /** A 401 here is an answer (a wrong password), not the end of the session. */
  expectsUnauthorized?: boolean
}

export function address(path: string, query: Call['query'] = {}): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') search.set(name, String(value))
  }
  const text = search.toString()
  return text === '' ? path : `${path}?${text}`
}

async function problemOf(response: Response): Promise<Problem> {
  const said: unknown = await response.json().catch(() => null)
  const body = (typeof said === 'object' && said !== null ? said : {}) as Record<string, unknown>
  const text = (name: string): string | null => (typeof body[name] === 'string' ? body[name] : null)
  return new Problem({
    status: response.status,
    code: text('code') ?? `http.${response.status}`,
    title: text('title') ?? response.statusText,
    detail: text('detail'),
    remedy: text('remedy'),
    requestId: text('request_id') ?? response.headers.get('x-request-id'),
    errors: Array.isArray(body['errors']) ? (body['errors'] as FieldError[]) : [],
  })
}

/** Sends one request and gives the raw answer; throws `Problem` for everything but success. */
export async function send(path: string, call: Call = {}): Promise<Response> {
  const method = call.method ?? 'GET'
  const headers: Record<string, string> = { accept: 'application/json', ...call.headers }
  if (call.body !== undefined) headers['content-type'] = 'application/json'
  if (call.text !== undefined) headers['content-type'] = call.text.type
  if (method !== 'GET' && csrfToken !== null) headers['x-csrf-token'] = csrfToken
  let response: Response
  try {
    response = await fetch(address(path, call.query), {
      method,
      headers,
      credentials: 'same-origin',
      body: call.body === undefined ? (call.text?.content ?? null) : JSON.stringify(call.body),
      signal: call.signal ?? null,
    })
  } catch (failure) {
    if (failure instanceof DOMException && failure.name === 'AbortError') throw failure
    throw new Problem({ status: 0, code: UNREACHABLE, title: UNREACHABLE })
  }
  if (!response.ok) {
    if (response.status === 401 && call.expectsUnauthorized !== true) onSignedOut()
    const problem = await problemOf(response)
    if (problem.code === FRESH_PROOF_NEEDED && (await onProofNeeded())) return send(path, call)
    // What somebody may do can change while their page is open; the session is read again.
    if (problem.code === FORBIDDEN) onDenied()
    // The session is read again, and says what has to be done first.
    if (problem.code === SECOND_FACTOR_NEEDED || problem.code === ACCOUNT_LEAVING) onSignedOut()
    throw problem
  }
  return response
}

export async function fetchJson<T>(path: string, call: Call = {}): Promise<T> {
  const response = await send(path, call)
  return (await response.json()) as T
}

export async function sendOnly(path: string, call: Call): Promise<void> {
  await send(path, call)
}

export interface Progressing {
  signal: AbortSignal
  /** Bytes that have left so far. */
  onProgress: (sent: number) => void
}

/** Sends a file as it is; only XMLHttpRequest tells how far it is. Rejects with an AbortError when stopped. */
export function upload<T>(path: string, query: Call['query'], file: File, { signal, onProgress }: Progressing): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', address(path, query))
    request.setRequestHeader('accept', 'application/json')
    request.setRequestHeader('content-type', 'application/octet-stream')
    if (csrfToken !== null) request.setRequestHeader('x-csrf-token', csrfToken)
    request.upload.onprogress = ({ loaded }) => onProgress(loaded)
    request.onload = () => {
      if (request.status === 401) onSignedOut()
      const headers = { 'x-request-id': request.getResponseHeader('x-request-id') ?? '' }
      const response = new Response(request.responseText, { status: request.status, headers })
      if (response.ok) response.json().then((body) => resolve(body as T), reject)
      else problemOf(response).then(reject, reject)
    }
    request.onerror = () => reject(new Problem({ status: 0, code: UNREACHABLE, title: UNREACHABLE }))
    request.onabort = () => reject(new DOMException('The upload was stopped.', 'AbortError'))
    signal.addEventListener('abort', () => request.abort(), { once: true })
    if (signal.aborted) request.abort()
    else request.send(file)
  })
}

/** A key for one intended act: sent again with a retry, so that the act happens once. */
export function idempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
