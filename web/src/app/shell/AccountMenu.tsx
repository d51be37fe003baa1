import { Avatar, Menu, Text, UnstyledButton, VisuallyHidden } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { IconCoin, IconLogout, IconSelector, IconUser } from '@tabler/icons-react'
import { Link, useNavigate } from 'react-router'
import { balanceQuery } from '@/api/queries'
import { signOut } from '@/api/identity'
import { leaveSession } from '@/api/session'
import { useLanguage } from '@/i18n'
import { useMay, useSession } from '@/ui/session'
import { useToasts } from '@/ui/toasts'
import classes from './shell.module.css'

export function AccountMenu() {
  const { t, format } = useLanguage()
  const { user } = useSession()
  const may = useMay()
  const client = useQueryClient()
  const navigate = useNavigate()
  const toasts = useToasts()
  const balance = useQuery({ ...balanceQuery, enabled: may('credits:read') })

  const leave = async () => {
    try {
      await signOut()
    } catch (failure) {
      toasts.fail(failure)
      return
    }
    await navigate('/sign-in')
    leaveSession(client)
  }

  return (
    <Menu position="top-start" width={216}>
      <Menu.Target>
        <UnstyledButton className={classes.account}>
          <VisuallyHidden>{t.nav.account}</VisuallyHidden>
          <Avatar size={28} radius="xl" name={user.name || user.email} color="accent" aria-hidden />
          <span className={classes.accountWords}>
            <Text fw={500} truncate>
              {user.name || user.email}
            </Text>
            <Text size="xs" c="dimmed" truncate className="tabular">
              {balance.data ? t.nav.available(format.credits(balance.data.available)) : user.name && user.email}
            </Text>
          </span>
          <IconSelector size={15} aria-hidden />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{user.email}</Menu.Label>
        <Menu.Item component={Link} to="/account/profile" leftSection={<IconUser size={16} />}>
          {t.nav.profile}
        </Menu.Item>
        {may('credits:read') && (
          <Menu.Item component={Link} to="/account/credits" leftSection={<IconCoin size={16} />}>
            {t.nav.credits}
          </Menu.Item>
        )}
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => void leave()}>
          {t.nav.signOut}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
