import { Skeleton } from '@mantine/core'
import { useLanguage } from '@/i18n'
import classes from './chat.module.css'
import messagesClasses from './messages.module.css'

export function ThreadSkeleton() {
  const { t } = useLanguage()
  return (
    <div className={classes.thread} role="status" aria-label={t.common.loading}>
      <div className={classes.scroll}>
        <div className={classes.column}>
          <div className={messagesClasses.mine}>
            <Skeleton height={40} width="45%" radius="lg" ml="auto" />
          </div>
          <Skeleton height={12} mt={28} width="92%" />
          <Skeleton height={12} mt={12} width="97%" />
          <Skeleton height={12} mt={12} width="64%" />
        </div>
      </div>
    </div>
  )
}
