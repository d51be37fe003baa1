import { IconLock } from '@tabler/icons-react'
import { Outlet } from 'react-router'
import { useLanguage } from '@/i18n'
import { EmptyState } from '@/ui/EmptyState'
import { useMay } from '@/ui/session'

/** The server decides; this only spares a person a page of refusals. */
export function Restricted({ permission }: { permission: string }) {
  const may = useMay()
  const { t } = useLanguage()
  if (may(permission)) return <Outlet />
  return <EmptyState whole icon={<IconLock size={20} />} title={t.errors.forbiddenTitle} text={t.errors.forbiddenText} />
}
