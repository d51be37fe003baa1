import { ActionIcon, Drawer, UnstyledButton } from '@mantine/core'
import { useDisclosure, useHotkeys } from '@mantine/hooks'
import { IconMenu2, IconSearch } from '@tabler/icons-react'
import { lazy, Suspense, useState } from 'react'
import { Outlet, useLocation, useNavigate } from 'react-router'
import { useLanguage } from '@/i18n'
import { useMay } from '@/ui/session'
import { TopBarContext } from '@/ui/topbar'
import { placesFor } from './places'
import { Rail } from './Rail'
import classes from './shell.module.css'

const Palette = lazy(() => import('../palette/Palette').then((module) => ({ default: module.Palette })))
const isMac = navigator.userAgent.includes('Mac')

export function Shell() {
  const { t } = useLanguage()
  const location = useLocation()
  const navigate = useNavigate()
  const may = useMay()
  const [drawer, setDrawer] = useDisclosure(false)
  const [palette, setPalette] = useDisclosure(false)
  const [bar, setBar] = useState<HTMLElement | null>(null)
  useHotkeys(
    [
      ['mod+K', () => setPalette.toggle()],
      ['mod+shift+O', () => void navigate('/chat')],
    ],
    [],
  )
  const group = placesFor(may).find(({ places }) => places.some(({ path }) => location.pathname.startsWith(path)))
  const place = group?.places.find(({ path }) => location.pathname.startsWith(path))

  return (
    <div className={classes.shell}>
      <a href="#content" className={classes.skip}>
        {t.common.skipToContent}
      </a>
      <aside className={classes.rail}>
        <Rail />
      </aside>
      <Drawer
        opened={drawer}
        onClose={setDrawer.close}
        size={264}
        withCloseButton={false}
        attributes={{ content: { 'aria-label': t.nav.main } }}
        classNames={{ body: classes.drawerBody ?? '' }}
      >
        <Rail onNavigate={setDrawer.close} />
      </Drawer>
      <div className={classes.main}>
        <header className={classes.top}>
          <ActionIcon className={classes.burger} aria-label={t.nav.open} onClick={setDrawer.open}>
            <IconMenu2 size={18} />
          </ActionIcon>
          <div className={classes.where}>
            {place && place.path !== '/chat' && (
              <>
                {group?.headed === true && <span className={classes.whereGroup}>{group.name(t)}</span>}
                <span>{place.name(t)}</span>
              </>
            )}
            <div ref={setBar} className={classes.slot} />
          </div>
          <UnstyledButton className={classes.search} onClick={setPalette.open} aria-label={t.nav.search}>
            <IconSearch size={15} aria-hidden />
            <span className={classes.searchWords}>{t.common.search}</span>
            <span className={classes.searchKey} data-keys={isMac ? '⌘K' : 'Ctrl K'} />
          </UnstyledButton>
        </header>
        <main id="content" className={classes.content} tabIndex={-1}>
          <TopBarContext value={bar}>
            <Outlet />
          </TopBarContext>
        </main>
      </div>
      <Suspense fallback={null}>{palette && <Palette onClose={setPalette.close} />}</Suspense>
    </div>
  )
}
