import type { Changes as Changed } from '@/api/audit'
import { useLanguage } from '@/i18n'
import classes from './audit.module.css'
import { inWords } from './values'

/** What a deed changed, field by field: before above after, told apart by sign as well as by colour. */
export function Changes({ changes }: { changes: Changed }) {
  const { t } = useLanguage()
  return (
    <div className={classes.diff}>
      {Object.entries(changes).map(([name, [before, after]]) => (
        <div className={classes.change} key={name}>
          <h4 className={classes.breakable}>{name}</h4>
          <div className={classes.side} data-side="before">
            <span role="img" aria-label={t.audit.before}>
              −
            </span>
            <span>{inWords(before, t)}</span>
          </div>
          <div className={classes.side} data-side="after">
            <span role="img" aria-label={t.audit.after}>
              +
            </span>
            <span>{inWords(after, t)}</span>
          </div>
        </div>
      ))}
    </div>
  )
}
