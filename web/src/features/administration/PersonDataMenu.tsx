import { Menu } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { IconFileZip, IconTrash, IconUserHeart } from '@tabler/icons-react'
import { keepSomebody } from '@/api/privacy'
import type { User } from '@/api/types'
import { useLanguage } from '@/i18n'
import { useMay, useSession } from '@/ui/session'
import { useToasts } from '@/ui/toasts'

/** What administrators do with somebody's data, as items of the menu of a person. */
export function PersonMenuItems({ user, onOpen }: { user: User; onOpen: (kind: 'export' | 'delete') => void }) {
  const { t } = useLanguage()
  const { user: me } = useSession()
  const may = useMay()
  const toasts = useToasts()
  const client = useQueryClient()
  const keeping = useMutation({
    mutationFn: () => keepSomebody(user.id),
    onSuccess: async () => {
      toasts.say(t.privacy.staysToast(user.name))
      await client.invalidateQueries({ queryKey: ['users'] })
    },
    onError: toasts.fail,
  })
  if (!may('users:delete') || user.id === me.id) return null
  return (
    <>
      <Menu.Item leftSection={<IconFileZip size={16} />} onClick={() => onOpen('export')}>
        {t.privacy.exportOf}
      </Menu.Item>
      {user.leaving_at === null ? (
        <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => onOpen('delete')}>
          {t.privacy.deleteSomebody}
        </Menu.Item>
      ) : (
        <Menu.Item leftSection={<IconUserHeart size={16} />} onClick={() => keeping.mutate()}>
          {t.privacy.keepSomebody}
        </Menu.Item>
      )}
    </>
  )
}
