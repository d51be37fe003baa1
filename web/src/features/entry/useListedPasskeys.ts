import { useEffectEvent, useLayoutEffect } from 'react'
import { mayListPasskeys, signInWithPasskey } from '@/api/security'
import { Problem } from '@/api/client'
import type { Session } from '@/api/types'

/** The hub forgets what it asked after five minutes. */
const ASK_AGAIN_AFTER = 4 * 60_000

interface Outcome {
  onEntered: (session: Session) => Promise<void>
  onRefused: (problem: Problem) => void
}

/** While `listed`, the browser lists one's passkeys at the field for the address, and picking one signs in.
 *
 * A browser takes one request for a passkey at a time: before another way begins, the list has to go.
 */
export function useListedPasskeys(listed: boolean, outcome: Outcome): void {
  const entered = useEffectEvent((session: Session) => outcome.onEntered(session))
  const refused = useEffectEvent((problem: Problem) => outcome.onRefused(problem))
  useLayoutEffect(() => {
    if (!listed) return
    const gone = new AbortController()
    const list = async () => {
      if (!(await mayListPasskeys())) return
      while (!gone.signal.aborted) {
        const late = new AbortController()
        const timer = setTimeout(() => late.abort(), ASK_AGAIN_AFTER)
        const signal = AbortSignal.any([gone.signal, late.signal])
        try {
          await entered(await signInWithPasskey({ mediation: 'conditional', signal }))
          return
        } catch (error) {
          // Time is up, or the list has to go.
          if (signal.aborted) continue
          // What else goes wrong is no matter of somebody who may not want a passkey at all.
          if (error instanceof Problem && error.code === 'auth.passkey_refused') refused(error)
          return
        } finally {
          clearTimeout(timer)
        }
      }
    }
    void list()
    return () => gone.abort()
  }, [listed])
}
