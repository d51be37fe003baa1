import { queryOptions, type QueryClient } from '@tanstack/react-query'
import { setCsrfToken } from './client'
import { readSession } from './identity'
import type { Account, Session } from './types'

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }) => {
    const session = await readSession(signal)
    setCsrfToken(session.csrf_token)
    return session
  },
  staleTime: 5 * 60_000,
  // What its person may do can change at any time, and the page shows no more than that.
  refetchInterval: 15_000,
  refetchOnWindowFocus: 'always',
})

/** Someone signed in: nothing that the last person saw stays. */
export function enterSession(client: QueryClient, session: Session): void {
  client.clear()
  setCsrfToken(session.csrf_token)
  client.setQueryData(sessionQuery.queryKey, session)
}

export function leaveSession(client: QueryClient): void {
  setCsrfToken(null)
  client.clear()
}

export function updateAccount(client: QueryClient, user: Account): void {
  client.setQueryData(sessionQuery.queryKey, (session) => (session ? { ...session, user } : session))
}
