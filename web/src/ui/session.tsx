/** Who is signed in, for every page under the shell. */
import { createContext, use } from 'react'
import type { Session } from '@/api/types'

export const SessionContext = createContext<Session | null>(null)

export function useSession(): Session {
  const session = use(SessionContext)
  if (session === null) throw new Error('useSession needs a signed-in page above it')
  return session
}

export function useMay(): (permission: string) => boolean {
  const { user } = useSession()
  return (permission) => user.permissions.includes(permission)
}
