import { useLanguage } from '@/i18n'
import { keysEn } from '@/i18n/keys.en'
import { keysFr } from '@/i18n/keys.fr'

/** The words about a key's bounds, which come with the page and not with the first that somebody sees. */
export function useKeyWords(): (typeof keysEn)['keyBounds'] {
  const { locale } = useLanguage()
  return (locale === 'fr' ? keysFr : keysEn).keyBounds
}
