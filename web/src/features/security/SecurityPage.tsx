import { useLanguage } from '@/i18n'
import { Page } from '@/ui/Page'
import { AppSection } from './AppSection'
import { DevicesSection } from './DevicesSection'
import { LinksSection } from './LinksSection'
import { PasskeysSection } from './PasskeysSection'

export function SecurityPage() {
  const { t } = useLanguage()
  return (
    <Page title={t.security.title} lead={t.security.lead}>
      <PasskeysSection />
      <AppSection />
      <LinksSection />
      <DevicesSection />
    </Page>
  )
}
