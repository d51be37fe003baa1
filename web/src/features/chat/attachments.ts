import type { Attached } from '@/api/conversations'

export type Attachment = Attached

export const MOST_BYTES = 1_000_000

export type Refusal = { why: 'too-large' } | { why: 'not-text'; name: string }

/** Reads files as UTF-8 text; the first that is no text, or too much in all, refuses the lot. */
export async function readAttachments(files: File[], kept: Attachment[]): Promise<Attachment[] | Refusal> {
  const total = [...files, ...kept].reduce((sum, file) => sum + file.size, 0)
  if (total > MOST_BYTES) return { why: 'too-large' }
  const read: Attachment[] = []
  for (const file of files) {
    const bytes = await file.arrayBuffer()
    let text: string
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    } catch {
      return { why: 'not-text', name: file.name }
    }
    if (text.includes('\0')) return { why: 'not-text', name: file.name }
    read.push({ name: file.name, size: file.size, text })
  }
  return read
}
