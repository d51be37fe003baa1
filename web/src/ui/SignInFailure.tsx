import { useQuery } from '@tanstack/react-query'
import { problemQuery } from '@/api/federation'
import { ErrorPanel } from './ErrorPanel'

/** Why a provider did not sign somebody in, from the code in the page's address. */
export function SignInFailure({ code }: { code: string }) {
  const said = useQuery(problemQuery(code))
  if (said.isPending) return null
  return <ErrorPanel error={said.data ?? said.error} compact />
}
