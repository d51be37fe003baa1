import { useLanguage } from '@/i18n'
import { Page } from '@/ui/Page'
import { EmbeddedSection } from './EmbeddedSection'
import { ModelsSection } from './ModelsSection'
import { ProvidersSection } from './ProvidersSection'

export function ModelsPage() {
  const { t } = useLanguage()
  return (
    <Page title={t.models.title} lead={t.models.lead}>
      <EmbeddedSection />
      <ProvidersSection />
      <ModelsSection />
    </Page>
  )
}
