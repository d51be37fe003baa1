import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useState } from 'react'
import { share, unshare } from '@/api/conversations'
import type { Conversation } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { useCopied } from '@/ui/useCopied'
import { conversationQuery } from './queries'

/** The server may answer with a path or a whole address: people need the address they are at. */
const whole = (url: string) => new URL(url, window.location.origin).href

export function ShareDialog({ conversation, onClose }: { conversation: Conversation; onClose: () => void }) {
  const { t } = useLanguage()
  const client = useQueryClient()
  const [url, setUrl] = useState(conversation.share_url)
  const [copied, copy] = useCopied()
  const keep = (next: string | null) => {
    setUrl(next)
    client.setQueryData(conversationQuery(conversation.id).queryKey, (detail) =>
      detail ? { ...detail, conversation: { ...detail.conversation, share_url: next } } : detail,
    )
    void client.invalidateQueries({ queryKey: ['conversations'] })
  }
  const open = useMutation({ mutationFn: () => share(conversation.id), onSuccess: (made) => keep(made.url) })
  const end = useMutation({ mutationFn: () => unshare(conversation.id), onSuccess: () => keep(null) })
  const error = open.error ?? end.error

  return (
    <Modal opened onClose={onClose} title={t.chat.shareTitle} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack gap="md">
        <Text c="dimmed">{t.chat.shareText}</Text>
        {url !== null && (
          <TextInput
            label={t.chat.shareLink}
            readOnly
            value={whole(url)}
            onFocus={(event) => event.currentTarget.select()}
          />
        )}
        {error !== null && <ErrorPanel error={error} compact />}
        <Group justify="flex-end" gap="xs">
          {url === null ? (
            <Button data-autofocus loading={open.isPending} onClick={() => open.mutate()}>
              {t.chat.shareCreate}
            </Button>
          ) : (
            <>
              <Button variant="default" loading={end.isPending} onClick={() => end.mutate()}>
                {t.chat.shareRemove}
              </Button>
              <Button
                data-autofocus
                leftSection={copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
                onClick={() => copy(whole(url))}
              >
                {copied ? t.common.copied : t.chat.shareCopy}
              </Button>
            </>
          )}
        </Group>
      </Stack>
    </Modal>
  )
}
