import { Skeleton } from '@mantine/core'
import { useLanguage } from '@/i18n'
import classes from './shell.module.css'

/** The shape of the shell while the session is being read: nothing moves when it arrives. */
export function ShellSkeleton() {
  const { t } = useLanguage()
  return (
    <div className={classes.shell} role="status" aria-label={t.common.loading}>
      <div className={classes.rail}>
        <div className={classes.railBody}>
          <div className={classes.brand}>
            <Skeleton height={22} width={22} radius="md" />
            <Skeleton height={12} width={110} />
          </div>
          <div className={classes.places}>
            {[64, 92, 78, 110].map((width) => (
              <div key={width} className={classes.place}>
                <Skeleton height={12} width={width} />
              </div>
            ))}
          </div>
        </div>
      </div>
      <div className={classes.main}>
        <div className={classes.top} />
      </div>
    </div>
  )
}
