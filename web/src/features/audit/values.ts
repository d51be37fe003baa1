import type { Messages } from '@/i18n'

/** A value of the log in words: nobody should have to read JSON for a list of roles. */
export function inWords(value: unknown, t: Messages): string {
  if (value === null || value === undefined || value === '') return t.audit.nothing
  if (value === true) return t.audit.yes
  if (value === false) return t.audit.no
  if (Array.isArray(value)) return value.length === 0 ? t.audit.nothing : value.map((item) => inWords(item, t)).join(', ')
  if (typeof value === 'object') {
    const parts = Object.entries(value).map(([name, item]) => `${name}: ${inWords(item, t)}`)
    return parts.length === 0 ? t.audit.nothing : parts.join('\n')
  }
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The first things that an entry says, on one line. */
export function summary(
  { details, changes }: { details: Record<string, unknown> | null; changes: Record<string, unknown[]> | null },
  t: Messages,
): string {
  const changed = Object.entries(changes ?? {}).map(
    ([name, pair]) => `${name}: ${inWords(pair[0], t)} → ${inWords(pair[1], t)}`,
  )
  const said = Object.entries(details ?? {})
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${name}: ${inWords(value, t)}`)
  return [...changed, ...said].join(' · ').replaceAll('\n', ', ')
}

const BROWSERS: [RegExp, string][] = [
  [/\bEdg\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bFirefox\//, 'Firefox'],
  [/\bHeadlessChrome\/|\bChrome\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
]
const SYSTEMS: [RegExp, string][] = [
  [/\bAndroid\b/, 'Android'],
  [/\b(iPhone|iPad)\b/, 'iOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bLinux\b/, 'Linux'],
]

/** "Firefox · Linux"; what is no browser stays as it is. */
export function browserInWords(agent: string): string {
  const browser = BROWSERS.find(([pattern]) => pattern.test(agent))?.[1]
  const system = SYSTEMS.find(([pattern]) => pattern.test(agent))?.[1]
  return browser === undefined ? agent : [browser, system].filter(Boolean).join(' · ')
}
