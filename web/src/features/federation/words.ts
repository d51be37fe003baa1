import { useLanguage } from '@/i18n'
import { signInProvidersEn } from '@/i18n/signInProviders.en'
import { signInProvidersFr } from '@/i18n/signInProviders.fr'

const words = { en: signInProvidersEn, fr: signInProvidersFr }

/** The words of the pages about providers of sign-in, in the reader's language. */
export const useProviderWords = () => words[useLanguage().locale]
