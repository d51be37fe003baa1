/** How roles, permissions and what was given are said. */
import type { Reason } from '@/api/access'
import type { Formats, Messages } from '@/i18n'

export const roleWord = (t: Messages, name: string, title?: string) => t.roles[name] ?? title ?? name

export const permissionWord = (t: Messages, name: string, title?: string) => t.permissions[name] ?? title ?? name

interface Given {
  granted_at?: string | null
  granted_by?: string | null
  expires_at: string | null
  reason?: string
  expired?: boolean
}

/** By whom, since when, until when, and why: "by ada@example.org · since 3 May · until 1 June · holiday cover". */
export function givenWords(t: Messages, format: Formats, given: Given): string {
  const end = given.expires_at === null ? null : format.dateTime(given.expires_at)
  const ending = given.expired === true ? t.access.endedOn : t.access.untilDate
  return [
    given.granted_by == null ? t.access.byHub : t.access.by(given.granted_by),
    given.granted_at == null ? null : t.access.since(format.date(given.granted_at)),
    end === null ? t.access.forGood : ending(end),
    given.reason === '' ? null : given.reason,
  ]
    .filter((part) => part != null)
    .join(' · ')
}

/** One sentence of an explanation; `word` says a role by its name. */
export function reasonWords(t: Messages, format: Formats, word: (role: string) => string, reason: Reason): string {
  const words = t.access.why_
  const names = reason.names.map(word).join(', ')
  const given = givenWords(t, format, {
    granted_at: reason.granted_at,
    granted_by: reason.granted_by,
    expires_at: reason.expires_at,
    reason: reason.note,
    expired: reason.kind.endsWith('expired'),
  })
  const path = reason.path.map(word)
  const first = path[0] ?? ''
  const inherits = path.length > 1 ? `, ${words.path(path.join(' → '))}` : ''
  switch (reason.kind) {
    case 'inactive':
      return words.inactive
    case 'second_factor':
      return reason.speaks === false ? words.factorMissing : words.factorAsked
    case 'role':
      return `${words.role(first)}${inherits}: ${given}`
    case 'role_expired':
      return `${words.roleExpired(first)}${inherits}: ${given}`
    case 'resource':
      return `${reason.role === null ? words.resource : words.resourceRole(word(reason.role))}: ${given}`
    case 'resource_expired':
      return `${words.resourceExpired}: ${given}`
    case 'elsewhere':
      return words.elsewhere(reason.names.join(', '))
    case 'roles_with_it':
      return words.rolesWithIt(names)
    case 'key':
      return reason.speaks === true ? words.keyMay(reason.note) : words.keyMayNot(reason.note, reason.names.join(', '))
    case 'unknown':
      return words.unknown
    case 'nothing':
      return words.nothing
  }
}
