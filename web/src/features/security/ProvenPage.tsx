import { Button, Stack } from '@mantine/core'
import { useEffect } from 'react'
import { useSearchParams } from 'react-router'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'
import { SignInFailure } from '@/ui/SignInFailure'
import { PROOFS } from './ProviderProof'

/** In the window that was opened for a proof: it tells the page that asked, and goes. */
export function ProvenPage() {
  const { t } = useLanguage()
  const [search] = useSearchParams()
  const problem = search.get('problem')
  useEffect(() => {
    if (problem !== null) return
    const channel = new BroadcastChannel(PROOFS)
    channel.postMessage('proven')
    channel.close()
    window.close()
  }, [problem])
  return (
    <EntryPage
      title={problem === null ? t.federation.provenTitle : t.federation.notProvenTitle}
      {...(problem === null ? { lead: t.federation.provenText } : {})}
    >
      <Stack gap="md">
        {problem !== null && <SignInFailure code={problem} />}
        <Button size="md" fullWidth variant="default" onClick={() => window.close()}>
          {t.federation.close}
        </Button>
      </Stack>
    </EntryPage>
  )
}
