import { Button, Text } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { IconLogin2 } from '@tabler/icons-react'
import { useEffect } from 'react'
import { beginProof, linksQuery } from '@/api/federation'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'

/** Where the window of a proof tells every page of this hub that it was given. */
export const PROOFS = 'aihub:proof'

class NoWindow extends Error {}

/** A fresh proof by signing in at a provider again, in a window of its own, so that this page stays as it is. */
export function ProviderProof({ onProven }: { onProven: () => void }) {
  const { t } = useLanguage()
  const links = useQuery(linksQuery)
  const asking = useMutation({
    mutationFn: async (handle: string) => {
      // Browsers open a window only right away; where it goes is known a moment later.
      const opened = window.open('about:blank', '_blank', 'popup,width=520,height=720')
      if (opened === null) throw new NoWindow()
      try {
        opened.location.replace(await beginProof(handle))
      } catch (failure) {
        opened.close()
        throw failure
      }
    },
  })
  useEffect(() => {
    const channel = new BroadcastChannel(PROOFS)
    channel.onmessage = () => onProven()
    return () => channel.close()
  }, [onProven])
  const providers = new Map(links.data?.items.map(({ handle, provider }) => [handle, provider]))
  return (
    <>
      {[...providers].map(([handle, provider]) => (
        <Button
          key={handle}
          variant="default"
          leftSection={<IconLogin2 size={18} />}
          loading={asking.isPending && asking.variables === handle}
          onClick={() => asking.mutate(handle)}
        >
          {t.federation.proveWith(provider)}
        </Button>
      ))}
      {asking.error instanceof NoWindow ? (
        <Text size="sm" c="dimmed" role="alert">
          {t.federation.popup}
        </Text>
      ) : (
        asking.isError && <ErrorPanel error={asking.error} compact />
      )}
    </>
  )
}
