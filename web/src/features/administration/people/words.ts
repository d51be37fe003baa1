import { useLanguage } from '@/i18n'
import { peopleEn } from '@/i18n/people.en'
import { peopleFr } from '@/i18n/people.fr'

/** The words of these pages, which come with them and not with the first page that somebody sees. */
export function usePeopleWords(): typeof peopleEn {
  const { locale } = useLanguage()
  return locale === 'fr' ? peopleFr : peopleEn
}
