/** The answer being written: what the stream has said so far, for the one view that shows it. */
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { followRun, type Chunk } from '@/api/stream'
import type { ConversationDetail, Message } from '@/api/types'
import { reasoningOf, toolsOf, type ToolUse } from './parts'
import { conversationQuery } from './queries'

export interface Live {
  messageId: string
  text: string
  reasoning: string
  tools: ToolUse[]
  connected: boolean
}

function text(chunk: Chunk, field: string): string {
  const value = chunk[field]
  return typeof value === 'string' ? value : ''
}

/** What one event adds; events that concern nobody who looks are left out. */
export function apply(live: Live, chunk: Chunk): Live {
  switch (chunk.type) {
    case 'text-delta':
      return { ...live, text: live.text + text(chunk, 'delta') }
    case 'reasoning-delta':
      return { ...live, reasoning: live.reasoning + text(chunk, 'delta') }
    case 'tool-input-available': {
      const tool = {
        id: text(chunk, 'toolCallId'),
        name: text(chunk, 'toolName'),
        input: chunk['input'],
        output: null,
        done: false,
      }
      return { ...live, tools: [...live.tools.filter(({ id }) => id !== tool.id), tool] }
    }
    case 'tool-output-available':
    case 'tool-output-error': {
      const id = text(chunk, 'toolCallId')
      const output = chunk['output'] ?? chunk['errorText']
      return { ...live, tools: live.tools.map((tool) => (tool.id === id ? { ...tool, output, done: true } : tool)) }
    }
    default:
      return live
  }
}

const FRAME_MS = 40

/**
 * Follows a conversation's active run while it is on show. The text begins with what the server had kept when the
 * conversation was read; the stream adds what came after it.
 */
export function useLive(detail: ConversationDetail | undefined): Live | null {
  const client = useQueryClient()
  const [live, setLive] = useState<Live | null>(null)
  const run = detail?.active_run ?? null
  const runId = run?.id ?? null
  const conversationId = run?.conversation_id ?? null

  useEffect(() => {
    if (runId === null || conversationId === null) return
    const key = conversationQuery(conversationId).queryKey
    const known = client.getQueryData(key)
    const message: Message | undefined = known?.messages.find(({ id }) => id === known.active_run?.message_id)
    if (known?.active_run?.id !== runId || message === undefined) return
    const aborter = new AbortController()
    let now: Live = {
      messageId: message.id,
      text: message.text,
      reasoning: reasoningOf(message.parts),
      tools: toolsOf(message.parts),
      connected: true,
    }
    let timer: ReturnType<typeof setTimeout> | null = null
    // Tokens arrive faster than anyone reads: several make one picture.
    const show = () => {
      timer ??= setTimeout(() => {
        timer = null
        setLive(now)
      }, FRAME_MS)
    }
    show()

    const follow = async (after: number) => {
      await followRun(runId, {
        after,
        signal: aborter.signal,
        onChunk: (chunk) => {
          now = apply(now, chunk)
          show()
        },
        onConnection: (connected) => {
          now = { ...now, connected }
          show()
        },
      })
      for (let pause = 150; !aborter.signal.aborted; pause = Math.min(pause * 2, 3_000)) {
        await client.refetchQueries({ queryKey: key, exact: true })
        // The last word was heard, and what came of it was not: the hub went away right after.
        const reached = client.getQueryState(key)?.status !== 'error'
        if (reached !== now.connected) {
          now = { ...now, connected: reached }
          show()
        }
        if (client.getQueryData(key)?.active_run?.id !== runId) break
        await new Promise((resolve) => setTimeout(resolve, pause))
      }
      void client.invalidateQueries({ queryKey: ['conversations'] })
      void client.invalidateQueries({ queryKey: ['credits'] })
    }
    void follow(known.active_run.last_event)
    return () => {
      aborter.abort()
      if (timer !== null) clearTimeout(timer)
      setLive(null)
    }
  }, [client, runId, conversationId])

  return live !== null && live.messageId === run?.message_id ? live : null
}
