import classes from './Status.module.css'

export type Tone = 'ok' | 'watch' | 'bad' | 'info' | 'off'

/** A state in a word with a dot: never a colour alone. */
export function Status({ tone, children }: { tone: Tone; children: string }) {
  return (
    <span className={classes.status} data-tone={tone}>
      <span className={classes.dot} aria-hidden />
      {children}
    </span>
  )
}
