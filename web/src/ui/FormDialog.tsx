import { Button, Group, Modal, Stack } from '@mantine/core'
import type { ReactNode } from 'react'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from './ErrorPanel'

export interface FormDialogProps {
  title: string
  action: string
  busy: boolean
  ready?: boolean
  /** What it does cannot be undone. */
  grave?: boolean
  error: Error | null
  size?: number
  children: ReactNode
  onSubmit: () => void
  onClose: () => void
}

/** A small form over the page; what was typed stays when the server refuses. */
export function FormDialog({ title, action, busy, ready = true, grave = false, error, size = 460, children, onSubmit, onClose }: FormDialogProps) {
  const { t } = useLanguage()
  return (
    <Modal opened onClose={onClose} title={title} size={size} closeButtonProps={{ 'aria-label': t.common.close }}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (ready && !busy) onSubmit()
        }}
      >
        <Stack gap="md">
          {children}
          {error !== null && <ErrorPanel error={error} compact />}
          <Group justify="flex-end" gap="xs" mt={4}>
            <Button variant="default" onClick={onClose}>
              {t.common.cancel}
            </Button>
            <Button type="submit" disabled={!ready} loading={busy} {...(grave ? { color: 'red' } : {})}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
