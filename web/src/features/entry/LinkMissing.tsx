import { Button } from '@mantine/core'
import { Link } from 'react-router'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'

/** Somebody opened the page of a link without the link's secret. */
export function LinkMissing() {
  const { t } = useLanguage()
  return (
    <EntryPage title={t.links.missingTitle} lead={t.links.missingText}>
      <Button component={Link} to="/sign-in" variant="default" size="md" fullWidth>
        {t.forgot.back}
      </Button>
    </EntryPage>
  )
}
