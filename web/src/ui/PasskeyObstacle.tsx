import { Anchor, Text } from '@mantine/core'
import { passkeyAddress, type passkeyObstacle } from '@/api/security'
import { useLanguage } from '@/i18n'

type Obstacle = NonNullable<ReturnType<typeof passkeyObstacle>>

/** Why there are no passkeys on this page, and where there are. */
export function PasskeyObstacle({ obstacle, path }: { obstacle: Obstacle; path: string }) {
  const { t } = useLanguage()
  const address = passkeyAddress()
  if (obstacle === 'browser') {
    return (
      <Text size="sm" c="dimmed">
        {t.security.browserText}
      </Text>
    )
  }
  return (
    <Text size="sm" c="dimmed">
      {t.security.addressText}{' '}
      {address === null ? (
        t.security.addressOther
      ) : (
        <Anchor href={`${address}${path}`} size="sm" underline="always">
          {t.security.addressLink(address)}
        </Anchor>
      )}
    </Text>
  )
}
