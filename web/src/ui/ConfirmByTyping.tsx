import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from './ErrorPanel'

export interface ConfirmByTypingProps {
  title: string
  text: string
  /** What must be typed, and the sentence that asks for it. */
  word: string
  ask: string
  action: string
  busy: boolean
  error: Error | null
  onConfirm: () => void
  onClose: () => void
}

/** For acts that cannot be undone: a name typed by hand is no slip. */
export function ConfirmByTyping(props: ConfirmByTypingProps) {
  const { t } = useLanguage()
  const [typed, setTyped] = useState('')
  const right = typed.trim() === props.word.trim()
  return (
    <Modal opened onClose={props.onClose} title={props.title} closeButtonProps={{ 'aria-label': t.common.close }}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (right) props.onConfirm()
        }}
      >
        <Stack gap="md">
          <Text c="dimmed">{props.text}</Text>
          <TextInput
            label={props.ask}
            data-autofocus
            autoComplete="off"
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          {props.error !== null && <ErrorPanel error={props.error} compact />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={props.onClose}>
              {t.common.cancel}
            </Button>
            <Button type="submit" color="red" disabled={!right} loading={props.busy}>
              {props.action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
