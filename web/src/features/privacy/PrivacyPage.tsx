import { useQuery } from '@tanstack/react-query'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Page } from '@/ui/Page'
import { DeletionSection } from './DeletionSection'
import { ExportsSection } from './ExportsSection'
import { HoldingsSection } from './HoldingsSection'
import { privacyQuery } from './queries'

export function PrivacyPage() {
  const { t } = useLanguage()
  const privacy = useQuery(privacyQuery)
  return (
    <Page title={t.privacy.title} lead={t.privacy.lead}>
      {privacy.isError && privacy.data === undefined ? (
        <ErrorPanel error={privacy.error} onRetry={() => void privacy.refetch()} />
      ) : (
        <>
          <ExportsSection exports={privacy.data?.exports} />
          <HoldingsSection holdings={privacy.data?.holdings} />
          <DeletionSection />
        </>
      )}
    </Page>
  )
}
