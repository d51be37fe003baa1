/** What a finished message's parts tell besides its text. */
import type { MessagePart } from '@/api/types'

export interface ToolUse {
  id: string
  name: string
  input: unknown
  output: unknown
  done: boolean
}

const words = (value: unknown) => (typeof value === 'string' ? value : '')

export function reasoningOf(parts: MessagePart[]): string {
  return parts
    .filter((part) => part.type === 'reasoning')
    .map((part) => words(part['text']))
    .join('\n\n')
}

export function toolsOf(parts: MessagePart[]): ToolUse[] {
  return parts
    .filter((part) => part.type === 'dynamic-tool' || part.type.startsWith('tool-'))
    .map((part, index) => ({
      id: words(part['toolCallId']) || String(index),
      name: words(part['toolName']) || part.type.replace(/^tool-/, ''),
      input: part['input'],
      output: part['output'] ?? part['errorText'] ?? null,
      done: words(part['state']).startsWith('output'),
    }))
}
