import { Button, Group, Modal, TextInput } from '@mantine/core'
import { useState } from 'react'
import type { Conversation } from '@/api/types'
import { useLanguage } from '@/i18n'
import { useToasts } from '@/ui/toasts'
import { useChangeConversation } from './useConversation'

export function RenameDialog({ conversation, onClose }: { conversation: Conversation; onClose: () => void }) {
  const { t } = useLanguage()
  const toasts = useToasts()
  const change = useChangeConversation()
  const [title, setTitle] = useState(conversation.title)
  return (
    <Modal opened onClose={onClose} title={t.chat.rename} closeButtonProps={{ 'aria-label': t.common.close }}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          change.mutate(
            { id: conversation.id, change: { title: title.trim() } },
            { onSuccess: onClose, onError: toasts.fail },
          )
        }}
      >
        <TextInput
          label={t.chat.renameLabel}
          data-autofocus
          maxLength={200}
          value={title}
          onFocus={(event) => event.currentTarget.select()}
          onChange={(event) => setTitle(event.currentTarget.value)}
        />
        <Group justify="flex-end" mt="lg" gap="xs">
          <Button variant="default" onClick={onClose}>
            {t.common.cancel}
          </Button>
          <Button type="submit" disabled={title.trim() === ''} loading={change.isPending}>
            {t.common.save}
          </Button>
        </Group>
      </form>
    </Modal>
  )
}
