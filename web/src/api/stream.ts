/**
 * Follows one run to its end over server-sent events. A lost connection is taken up again after the last event seen,
 * so that the caller sees each event once and in order.
 */
import { Problem, send } from './client'

export interface Chunk {
  type: string
  [field: string]: unknown
}

export interface Following {
  /** The number of the last event already known; 0 for all of them. */
  after: number
  onChunk: (chunk: Chunk, sequence: number) => void
  onConnection: (connected: boolean) => void
  signal: AbortSignal
}

/** No byte for this long means that the line is dead, even if nobody said so. */
const SILENCE_MS = 45_000
const PAUSES_MS = [250, 500, 1_000, 2_000, 4_000]

interface Frame {
  id: number | null
  data: string
}

/** Cuts a text stream into event frames; comment lines keep the line alive and say nothing. */
export async function* frames(body: ReadableStream<Uint8Array>, onBytes: () => void): AsyncGenerator<Frame> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let held = ''
  let id: number | null = null
  let data: string[] = []
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      onBytes()
      held += decoder.decode(value, { stream: true })
      const lines = held.split(/\r\n|\n|\r(?!$)/)
      held = lines.pop() ?? ''
      for (const line of lines) {
        if (line === '') {
          if (data.length > 0) yield { id, data: data.join('\n') }
          data = []
        } else if (line.startsWith('data:')) {
          data.push(line.slice(line.startsWith('data: ') ? 6 : 5))
        } else if (line.startsWith('id:')) {
          const number = Number(line.slice(3).trim())
          id = Number.isFinite(number) ? number : null
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      window.removeEventListener('online', end)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, milliseconds)
    window.addEventListener('online', end)
    signal.addEventListener('abort', end)
  })
}

/** Gives true when the run said its last word, false when the server no longer knows the run. */
export async function followRun(runId: string, following: Following): Promise<boolean> {
  const { signal } = following
  let last = following.after
  let failures = 0
  const left = () => signal.aborted
  while (!left()) {
    const line = new AbortController()
    const hangUp = () => line.abort()
    signal.addEventListener('abort', hangUp)
    let silence = setTimeout(hangUp, SILENCE_MS)
    const heard = () => {
      clearTimeout(silence)
      silence = setTimeout(hangUp, SILENCE_MS)
    }
    try {
      const response = await send(`/api/v1/runs/${runId}/stream`, {
        query: { after: last },
        headers: { accept: 'text/event-stream' },
        signal: line.signal,
      })
      following.onConnection(true)
      if (response.body !== null) {
        for await (const frame of frames(response.body, heard)) {
          failures = 0
          if (frame.data === '[DONE]') return true
          if (frame.id !== null) {
            if (frame.id <= last) continue
            last = frame.id
          }
          following.onChunk(JSON.parse(frame.data) as Chunk, last)
        }
      }
    } catch (failure) {
      if (failure instanceof Problem && failure.status >= 400 && failure.status < 500 && failure.status !== 429) {
        return false
      }
    } finally {
      clearTimeout(silence)
      signal.removeEventListener('abort', hangUp)
    }
    if (left()) return false
    following.onConnection(false)
    await pause(PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)] ?? 4_000, signal)
    failures += 1
  }
  return false
}
