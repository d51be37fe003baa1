import type { Guest } from '@/api/people'

/** So many rows leave in one request. */
export const CHUNK = 50
export const LARGEST_FILE = 1_000_000

const FIRST: Record<Guest['outcome'], number> = { wrong: 0, invited: 1, account: 2, invite: 3, sent: 4 }

/** Problems first, then in the order of the list. */
export function problemsFirst(guests: Guest[]): Guest[] {
  return [...guests].sort((one, other) => FIRST[one.outcome] - FIRST[other.outcome] || one.line - other.line)
}

/** A cell of a CSV file: quoted, and never a formula of whatever opens it. */
function cell(text: string): string {
  const plain = /^\s*[=+\-@|%\uff1d\uff0b\uff0d\uff20]/.test(text) || /^[\t\r\n]/.test(text) ? `'${text}` : text
  return `"${plain.replaceAll('"', '""')}"`
}

export function asCsv(header: string[], rows: string[][]): Blob {
  const lines = [header, ...rows].map((cells) => cells.map(cell).join(','))
  return new Blob(['\ufeff', lines.join('\r\n'), '\r\n'], { type: 'text/csv;charset=utf-8' })
}

/** Lets the browser save something that was made here. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 1_000)
}
