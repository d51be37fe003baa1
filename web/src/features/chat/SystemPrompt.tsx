import { ActionIcon, Button, Group, Indicator, Modal, Text, Textarea, Tooltip } from '@mantine/core'
import { IconAdjustmentsHorizontal } from '@tabler/icons-react'
import { useState } from 'react'
import { useLanguage } from '@/i18n'

export function SystemPrompt({ value, onChange }: { value: string; onChange: (prompt: string) => void }) {
  const { t } = useLanguage()
  const [text, setText] = useState<string | null>(null)
  const close = () => setText(null)
  return (
    <>
      <Tooltip label={t.chat.systemPrompt}>
        <Indicator disabled={value === ''} size={7} offset={6} color="accent">
          <ActionIcon aria-label={t.chat.systemPrompt} onClick={() => setText(value)}>
            <IconAdjustmentsHorizontal size={17} />
          </ActionIcon>
        </Indicator>
      </Tooltip>
      <Modal opened={text !== null} onClose={close} title={t.chat.systemPrompt} closeButtonProps={{ 'aria-label': t.common.close }}>
        <form
          onSubmit={(event) => {
            event.preventDefault()
            onChange(text ?? '')
            close()
          }}
        >
          <Textarea
            label={t.chat.systemPromptLabel}
            autosize
            minRows={5}
            maxRows={16}
            data-autofocus
            maxLength={20_000}
            value={text ?? ''}
            onChange={(event) => setText(event.currentTarget.value)}
          />
          <Text size="sm" c="dimmed" mt={6}>
            {t.chat.systemPromptHint}
          </Text>
          <Group justify="flex-end" mt="lg" gap="xs">
            <Button variant="default" onClick={close}>
              {t.common.cancel}
            </Button>
            <Button type="submit">{t.common.save}</Button>
          </Group>
        </form>
      </Modal>
    </>
  )
}
