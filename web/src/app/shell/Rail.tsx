import { Text } from '@mantine/core'
import { NavLink } from 'react-router'
import { useLanguage } from '@/i18n'
import { BrandMark } from '@/ui/Brand'
import { useMay } from '@/ui/session'
import { AccountMenu } from './AccountMenu'
import { placesFor } from './places'
import classes from './shell.module.css'

/** Where one can go, and who one is. */
export function Rail({ onNavigate }: { onNavigate?: () => void }) {
  const { t } = useLanguage()
  const may = useMay()
  return (
    <div className={classes.railBody}>
      <div className={classes.brand}>
        <BrandMark size={22} />
        <Text fw={600}>{t.product}</Text>
      </div>
      <nav aria-label={t.nav.main} className={classes.places}>
        {placesFor(may).map((group) => (
          <div key={group.name(t)} role="group" aria-label={group.name(t)} className={classes.group}>
            {group.headed && (
              <div className={classes.groupName} aria-hidden>
                {group.name(t)}
              </div>
            )}
            {group.places.map((place) => (
              <NavLink key={place.path} to={place.path} className={classes.place ?? ''} onClick={() => onNavigate?.()}>
                <place.icon size={17} stroke={1.7} aria-hidden />
                {place.name(t)}
              </NavLink>
            ))}
          </div>
        ))}
      </nav>
      <AccountMenu />
    </div>
  )
}
