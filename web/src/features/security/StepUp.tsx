import { Modal, Skeleton, Stack, Text } from '@mantine/core'
import { lazy, Suspense, useEffect, useRef, useState } from 'react'
import { setProofHandler } from '@/api/client'
import { useLanguage } from '@/i18n'

const ProofForm = lazy(async () => ({ default: (await import('./ProofForm')).ProofForm }))

interface Asking {
  answer: Promise<boolean>
  settle: (proven: boolean) => void
}

/** Asks for a fresh proof whenever the server wants one, so that what was begun goes on by itself. */
export function StepUp() {
  const { t } = useLanguage()
  const asking = useRef<Asking | null>(null)
  const [open, setOpen] = useState(false)

  useEffect(() => {
    setProofHandler(() => {
      if (asking.current === null) {
        let settle: Asking['settle'] = () => undefined
        const answer = new Promise<boolean>((resolve) => {
          settle = resolve
        })
        asking.current = { answer, settle }
        setOpen(true)
      }
      return asking.current.answer
    })
    return () => setProofHandler(() => Promise.resolve(false))
  }, [])

  const close = (proven: boolean) => {
    asking.current?.settle(proven)
    asking.current = null
    setOpen(false)
  }
  return (
    <Modal
      opened={open}
      onClose={() => close(false)}
      title={t.proof.title}
      zIndex={400}
      closeButtonProps={{ 'aria-label': t.common.close }}
    >
      <Stack gap="md">
        <Text c="dimmed">{t.proof.text}</Text>
        <Suspense fallback={<Skeleton height={96} />}>
          <ProofForm password onProven={() => close(true)} />
        </Suspense>
      </Stack>
    </Modal>
  )
}
