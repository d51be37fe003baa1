import { Button } from '@mantine/core'
import { Link } from 'react-router'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'

export function NothingWaits() {
  const { t } = useLanguage()
  return (
    <EntryPage title={t.federation.nothingTitle} lead={t.federation.nothingText}>
      <Button component={Link} to="/sign-in" size="md" fullWidth>
        {t.federation.toSignIn}
      </Button>
    </EntryPage>
  )
}
