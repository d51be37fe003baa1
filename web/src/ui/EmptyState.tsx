import { Text } from '@mantine/core'
import type { ReactNode } from 'react'
import classes from './panels.module.css'

/** What this place is for, and the one action that fills it. `whole`: it is the whole page. */
export function EmptyState({ icon, title, text, action, whole }: { icon: ReactNode; title: string; text: string; action?: ReactNode; whole?: boolean }) {
  return (
    <div className={classes.empty}>
      <div className={classes.emptyIcon} aria-hidden>
        {icon}
      </div>
      <Text fw={600} component={whole === true ? 'h1' : 'p'}>
        {title}
      </Text>
      <Text c="dimmed" maw={420}>
        {text}
      </Text>
      {action !== undefined && <div className={classes.emptyAction}>{action}</div>}
    </div>
  )
}
