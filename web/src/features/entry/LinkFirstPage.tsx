import { Button, Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from 'react-router'
import { waitingQuery } from '@/api/federation'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'
import { NothingWaits } from './NothingWaits'

/** The provider's address belongs to an account here: whose it is has to be shown on this side, too. */
export function LinkFirstPage() {
  const { t } = useLanguage()
  const waits = useQuery(waitingQuery)
  if (waits.isError || (waits.data !== undefined && waits.data.step !== 'link')) return <NothingWaits />
  const { provider = '', email = '' } = waits.data ?? {}
  return (
    <EntryPage
      title={t.federation.linkTitle}
      {...(waits.data === undefined ? {} : { lead: t.federation.linkText(provider, email ?? '') })}
    >
      {waits.data === undefined ? (
        <Skeleton height={42} />
      ) : (
        <Button component={Link} to="/link-sign-in" size="md" fullWidth>
          {t.federation.linkGo}
        </Button>
      )}
    </EntryPage>
  )
}
