import { ActionIcon, Menu } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { IconBraces, IconDots, IconLink, IconMarkdown, IconPencil, IconTrash } from '@tabler/icons-react'
import { useState } from 'react'
import { useNavigate, useParams } from 'react-router'
import { deleteConversation, exportAddress, restoreConversation } from '@/api/conversations'
import type { Conversation } from '@/api/types'
import { useLanguage } from '@/i18n'
import { useToasts } from '@/ui/toasts'
import { RenameDialog } from './RenameDialog'
import { ShareDialog } from './ShareDialog'

/** What one can do with a whole conversation. */
export function ConversationMenu({ conversation, className }: { conversation: Conversation; className?: string }) {
  const { t } = useLanguage()
  const client = useQueryClient()
  const navigate = useNavigate()
  const { id: open } = useParams()
  const toasts = useToasts()
  const [dialog, setDialog] = useState<'rename' | 'share' | null>(null)
  const title = conversation.title || t.chat.untitled

  const restore = useMutation({
    mutationFn: () => restoreConversation(conversation.id),
    onSettled: () => client.invalidateQueries({ queryKey: ['conversations'] }),
    onError: toasts.fail,
  })
  const remove = useMutation({
    mutationFn: () => deleteConversation(conversation.id),
    onSuccess: async () => {
      if (open === conversation.id) await navigate('/chat')
      toasts.say(t.chat.deletedNamed(title), () => restore.mutate())
      await client.invalidateQueries({ queryKey: ['conversations'] })
    },
    onError: toasts.fail,
  })

  return (
    <>
      <Menu position="bottom-end" width={208}>
        <Menu.Target>
          <ActionIcon className={className ?? ''} size={28} aria-label={`${t.chat.options}: ${title}`}>
            <IconDots size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconPencil size={16} />} onClick={() => setDialog('rename')}>
            {t.chat.rename}
          </Menu.Item>
          <Menu.Item leftSection={<IconLink size={16} />} onClick={() => setDialog('share')}>
            {t.chat.share}
          </Menu.Item>
          <Menu.Divider />
          <Menu.Item
            component="a"
            href={exportAddress(conversation.id, 'markdown')}
            download
            leftSection={<IconMarkdown size={16} />}
          >
            {t.chat.exportMarkdown}
          </Menu.Item>
          <Menu.Item
            component="a"
            href={exportAddress(conversation.id, 'json')}
            download
            leftSection={<IconBraces size={16} />}
          >
            {t.chat.exportJson}
          </Menu.Item>
          <Menu.Divider />
          <Menu.Item color="var(--hub-bad)" leftSection={<IconTrash size={16} />} onClick={() => remove.mutate()}>
            {t.common.delete}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {dialog === 'rename' && <RenameDialog conversation={conversation} onClose={() => setDialog(null)} />}
      {dialog === 'share' && <ShareDialog conversation={conversation} onClose={() => setDialog(null)} />}
    </>
  )
}
