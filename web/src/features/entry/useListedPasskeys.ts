import { useEffectEvent, useLayoutEffect } from 'react'
import { mayListPasskeys, pickPasskey, type PasskeyAnswer } from '@/api/security'

/** The hub forgets what it asked after five minutes. */
const ASK_AGAIN_AFTER = 4 * 60_000

/** While `listed`, the browser lists one's passkeys at the field for the address, and `onPicked` gets the one picked.
 *
 * A browser takes one request for a passkey at a time: before another way begins, the list has to go. What is picked
 * in a list that had to go is nobody's: else one person would sign in twice.
 */
export function useListedPasskeys(listed: boolean, onPicked: (answer: PasskeyAnswer) => void): void {
  const picked = useEffectEvent((answer: PasskeyAnswer) => onPicked(answer))
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
          const answer = await pickPasskey({ mediation: 'conditional', signal })
          gone.signal.throwIfAborted()
          picked(answer)
          return
        } catch {
          // Time is up, or the list has to go.
          if (signal.aborted) continue
          // What else goes wrong is no matter of somebody who may not want a passkey at all.
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
