import { Button } from '@mantine/core'
import { IconMapQuestion, IconMoodSad, IconPlugConnectedX } from '@tabler/icons-react'
import { useEffect, useState } from 'react'
import { Link, useRouteError } from 'react-router'
import { useLanguage } from '@/i18n'
import { EmptyState } from '@/ui/EmptyState'
import { useDocumentTitle } from '@/ui/Page'

export function NotFound() {
  const { t } = useLanguage()
  useDocumentTitle(t.errors.notFoundTitle)
  return (
    <EmptyState
      whole
      icon={<IconMapQuestion size={20} />}
      title={t.errors.notFoundTitle}
      text={t.errors.notFoundText}
      action={
        <Button component={Link} to="/chat">
          {t.errors.goHome}
        </Button>
      }
    />
  )
}

const PROBE_MS = 3_000

async function answers(): Promise<boolean> {
  try {
    return (await fetch('/health/live')).ok
  } catch {
    return false
  }
}

/** A page whose script could not be fetched: it is taken up again by itself when the hub is back. */
function Unreached() {
  const { t } = useLanguage()
  const [trying, setTrying] = useState(false)
  useDocumentTitle(t.errors.unreachable)
  useEffect(() => {
    const timer = setInterval(() => {
      void answers().then((back) => {
        if (back) window.location.reload()
      })
    }, PROBE_MS)
    return () => clearInterval(timer)
  }, [])
  const retry = async () => {
    setTrying(true)
    if (await answers()) window.location.reload()
    else setTrying(false)
  }
  return (
    <div role="alert">
      <EmptyState
        whole
        icon={<IconPlugConnectedX size={20} />}
        title={t.errors.unreachable}
        text={t.errors.unreachableWaits}
        action={
          <Button loading={trying} onClick={() => void retry()}>
            {t.common.retry}
          </Button>
        }
      />
    </div>
  )
}

/** The browsers' own words for an `import()` that got no answer. */
const NOT_FETCHED = /dynamically imported module|importing a module script failed|preload css/i

/** A page that threw, or whose script could not be fetched. */
export function Crash() {
  const { t } = useLanguage()
  const error = useRouteError()
  const [gone, setGone] = useState<boolean | null>(null)
  const notFetched = error instanceof Error && NOT_FETCHED.test(error.message)
  useEffect(() => {
    // After an update of the hub old scripts are gone while the hub is there: then only a reload helps.
    if (notFetched) void answers().then((there) => setGone(!there))
  }, [notFetched])
  if (notFetched && gone === null) return null
  if (gone === true) return <Unreached />
  return (
    <EmptyState
      whole
      icon={<IconMoodSad size={20} />}
      title={t.errors.crashTitle}
      text={t.errors.crashText}
      action={<Button onClick={() => window.location.reload()}>{t.errors.reload}</Button>}
    />
  )
}
