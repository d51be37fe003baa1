import { useMantineColorScheme } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense, useEffect, useRef } from 'react'
import { Navigate, Outlet, useLocation } from 'react-router'
import { Problem } from '@/api/client'
import { readSetup } from '@/api/identity'
import { sessionQuery } from '@/api/session'
import { StepUp } from '@/features/security/StepUp'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { SessionContext } from '@/ui/session'
import { useToasts } from '@/ui/toasts'
import { ShellSkeleton } from './shell/ShellSkeleton'

const SecondFactorGate = lazy(async () => ({
  default: (await import('@/features/security/SecondFactorGate')).SecondFactorGate,
}))

const LeavingGate = lazy(async () => ({
  default: (await import('@/features/privacy/LeavingGate')).LeavingGate,
}))

function isSignedOut(error: unknown): boolean {
  return error instanceof Problem && error.status === 401
}

/** When what somebody may do changes while their page is open, what the page shows is read again. */
function useFollowPermissions(permissions: string[] | undefined): void {
  const client = useQueryClient()
  const { t } = useLanguage()
  const toasts = useToasts()
  const now = permissions?.join(' ')
  const before = useRef(now)
  useEffect(() => {
    if (before.current !== undefined && now !== undefined && before.current !== now) {
      toasts.say(t.access.changedForYou)
      void client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' })
    }
    before.current = now
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [now])
}

/** Everything below needs a session; without one the way leads to setup or sign-in, and back again afterwards. */
export function SignedIn() {
  const { t, setLocale } = useLanguage()
  const { setColorScheme } = useMantineColorScheme()
  const location = useLocation()
  const session = useQuery(sessionQuery)
  const signedOut = isSignedOut(session.error)
  const setup = useQuery({
    queryKey: ['setup'],
    queryFn: ({ signal }) => readSetup(signal),
    enabled: signedOut,
    staleTime: 0,
  })
  const locale = session.data?.user.locale
  const theme = session.data?.user.theme

  useEffect(() => {
    if (locale !== undefined) setLocale(locale)
    // Only a change of the account's language counts; the setter is a new function after each change.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [locale])

  useEffect(() => {
    if (theme !== undefined) setColorScheme(theme === 'system' ? 'auto' : theme)
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [theme])

  useFollowPermissions(session.data?.user.permissions)

  if (signedOut) {
    if (setup.isPending) return <ShellSkeleton />
    if (setup.data?.needed === true) return <Navigate to="/setup" replace />
    const next = location.pathname + location.search
    return <Navigate to={next === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(next)}`} replace />
  }
  if (session.data !== undefined) {
    const needed = session.data.second_factor_needed
    const leavingAt = session.data.user.leaving_at
    return (
      <SessionContext value={session.data}>
        {leavingAt !== null && needed !== 'prove' ? (
          <Suspense fallback={<ShellSkeleton />}>
            <LeavingGate at={leavingAt} />
          </Suspense>
        ) : needed === null ? (
          <Outlet />
        ) : (
          <Suspense fallback={<ShellSkeleton />}>
            <SecondFactorGate needed={needed} />
          </Suspense>
        )}
        <StepUp />
      </SessionContext>
    )
  }
  if (session.isError) {
    return (
      <EntryPage title={t.errors.title}>
        <ErrorPanel error={session.error} onRetry={() => void session.refetch()} />
      </EntryPage>
    )
  }
  return <ShellSkeleton />
}
