/** The interface's words. English is the shape; another language that misses a word does not compile. */
import { createContext, use, useEffect, useMemo, useState, type ReactNode } from 'react'
import type { Locale } from '@/api/types'
import { en, type Messages } from './en'

const STORED = 'aihub:locale'

const loaders: Record<Locale, () => Promise<Messages>> = {
  en: () => Promise.resolve(en),
  fr: () => import('./fr').then((module) => module.fr),
}

function isLocale(text: string | null | undefined): text is Locale {
  return text === 'en' || text === 'fr'
}

export function startLocale(): Locale {
  const stored = localStorage.getItem(STORED)
  if (isLocale(stored)) return stored
  const wanted = navigator.languages.map((language) => language.slice(0, 2)).find(isLocale)
  return wanted ?? 'en'
}

export interface Formats {
  date: (time: string) => string
  dateTime: (time: string) => string
  time: (time: string) => string
  /** Distance from now in words: "3 minutes ago". */
  ago: (time: string) => string
  day: (isoDate: string) => string
  number: (value: number) => string
  /** For an axis: 1.2K rather than 1,234. */
  short: (value: number) => string
  percent: (share: number) => string
  /** Credits, from the API's decimal string; small amounts keep the digits that say something. */
  credits: (amount: string) => string
  size: (bytes: number) => string
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
]

function formatsOf(locale: Locale): Formats {
  const tag = locale === 'en' ? (navigator.languages.find((language) => language.startsWith('en')) ?? 'en') : 'fr'
  const date = new Intl.DateTimeFormat(tag, { dateStyle: 'medium' })
  const dateTime = new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeStyle: 'short' })
  const time = new Intl.DateTimeFormat(tag, { timeStyle: 'short' })
  const day = new Intl.DateTimeFormat(tag, { day: 'numeric', month: 'short', timeZone: 'UTC' })
  const number = new Intl.NumberFormat(tag)
  const short = new Intl.NumberFormat(tag, { notation: 'compact', maximumSignificantDigits: 3 })
  const percent = new Intl.NumberFormat(tag, { style: 'percent' })
  const whole = new Intl.NumberFormat(tag, { minimumFractionDigits: 2, maximumFractionDigits: 2 })
  const fine = new Intl.NumberFormat(tag, { maximumSignificantDigits: 3, maximumFractionDigits: 6 })
  const relative = new Intl.RelativeTimeFormat(tag, { numeric: 'auto' })
  return {
    date: (value) => date.format(new Date(value)),
    dateTime: (value) => dateTime.format(new Date(value)),
    time: (value) => time.format(new Date(value)),
    ago: (value) => {
      const seconds = (new Date(value).getTime() - Date.now()) / 1000
      const step = STEPS.find(([, size]) => Math.abs(seconds) >= size)
      return step ? relative.format(Math.round(seconds / step[1]), step[0]) : relative.format(0, 'second')
    },
    day: (value) => day.format(new Date(value)),
    number: (value) => number.format(value),
    short: (value) => short.format(value),
    percent: (value) => percent.format(value),
    credits: (amount) => {
      const value = Number(amount)
      return value !== 0 && Math.abs(value) < 1 ? fine.format(value) : whole.format(value)
    },
    size: (bytes) => {
      if (bytes < 1_000) return `${number.format(bytes)} B`
      if (bytes < 1_000_000) return `${number.format(Math.round(bytes / 1_000))} KB`
      if (bytes < 1_000_000_000) return `${number.format(Math.round(bytes / 100_000) / 10)} MB`
      return `${number.format(Math.round(bytes / 100_000_000) / 10)} GB`
    },
  }
}

export interface Language {
  locale: Locale
  setLocale: (locale: Locale) => void
  t: Messages
  format: Formats
}

const LanguageContext = createContext<Language | null>(null)

export function useLanguage(): Language {
  const language = use(LanguageContext)
  if (language === null) throw new Error('useLanguage needs a LanguageProvider above it')
  return language
}

export function LanguageProvider({ initial, children }: { initial: { locale: Locale; t: Messages }; children: ReactNode }) {
  const [shown, setShown] = useState(initial)

  const language = useMemo<Language>(
    () => ({
      ...shown,
      format: formatsOf(shown.locale),
      setLocale: (locale) => {
        localStorage.setItem(STORED, locale)
        void loaders[locale]().then((t) => setShown((before) => (before.locale === locale ? before : { locale, t })))
      },
    }),
    [shown],
  )

  useEffect(() => {
    document.documentElement.lang = shown.locale
  }, [shown.locale])

  return <LanguageContext value={language}>{children}</LanguageContext>
}

export async function loadLanguage(locale: Locale): Promise<{ locale: Locale; t: Messages }> {
  return { locale, t: await loaders[locale]() }
}

export type { Messages }
