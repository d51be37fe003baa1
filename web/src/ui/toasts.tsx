/** Short messages at the edge of the page, said aloud; a slip can be undone while one is shown. */
import { ActionIcon, Button, Portal, Text } from '@mantine/core'
import { IconAlertTriangle, IconCheck, IconX } from '@tabler/icons-react'
import { createContext, use, useCallback, useMemo, useRef, useState, type ReactNode } from 'react'
import { useLanguage } from '@/i18n'
import { explain } from './ErrorPanel'
import classes from './toasts.module.css'

interface Toast {
  id: number
  text: string
  detail?: string | null
  bad: boolean
  undo?: (() => void) | undefined
}

export interface Toasts {
  say: (text: string, undo?: () => void) => void
  fail: (error: unknown) => void
}

const ToastContext = createContext<Toasts | null>(null)

export function useToasts(): Toasts {
  const toasts = use(ToastContext)
  if (toasts === null) throw new Error('useToasts needs a ToastProvider above it')
  return toasts
}

const SHOWN_MS = 5_000
const UNDO_MS = 10_000

export function ToastProvider({ children }: { children: ReactNode }) {
  const { t } = useLanguage()
  const [shown, setShown] = useState<Toast[]>([])
  const next = useRef(0)

  const dismiss = useCallback((id: number) => setShown((before) => before.filter((toast) => toast.id !== id)), [])

  const toasts = useMemo<Toasts>(() => {
    const add = (toast: Omit<Toast, 'id'>) => {
      next.current += 1
      const id = next.current
      setShown((before) => [...before.slice(-2), { ...toast, id }])
      setTimeout(() => dismiss(id), toast.undo || toast.bad ? UNDO_MS : SHOWN_MS)
    }
    return {
      say: (text, undo) => add({ text, undo, bad: false }),
      fail: (error) => {
        const said = explain(error, t)
        add({ text: said.title, detail: said.text, bad: true })
      },
    }
  }, [dismiss, t])

  return (
    <ToastContext value={toasts}>
      {children}
      <Portal>
        <div className={classes.stack} role="status" aria-live="polite">
          {shown.map((toast) => (
            <div key={toast.id} className={classes.toast}>
              {toast.bad ? (
                <IconAlertTriangle size={18} className={classes.bad} aria-hidden />
              ) : (
                <IconCheck size={18} className={classes.ok} aria-hidden />
              )}
              <div className={classes.words}>
                <Text fw={500}>{toast.text}</Text>
                {toast.detail !== null && toast.detail !== undefined && <Text c="dimmed">{toast.detail}</Text>}
              </div>
              {toast.undo && (
                <Button
                  size="compact-sm"
                  variant="subtle"
                  onClick={() => {
                    toast.undo?.()
                    dismiss(toast.id)
                  }}
                >
                  {t.common.undo}
                </Button>
              )}
              <ActionIcon size={24} aria-label={t.common.dismiss} onClick={() => dismiss(toast.id)}>
                <IconX size={14} />
              </ActionIcon>
            </div>
          ))}
        </div>
      </Portal>
    </ToastContext>
  )
}
