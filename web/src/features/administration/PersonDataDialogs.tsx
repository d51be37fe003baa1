import { Checkbox, Text, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Problem } from '@/api/client'
import { orderDeletion, orderExport } from '@/api/privacy'
import type { User } from '@/api/types'
import { useLanguage } from '@/i18n'
import { FormDialog } from '@/ui/FormDialog'
import { useToasts } from '@/ui/toasts'

const SHORTEST_REASON = 3

/** A copy of somebody's data at their request; the link goes to them. */
export function ExportPersonDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useLanguage()
  const toasts = useToasts()
  const [reason, setReason] = useState('')
  const ordering = useMutation({
    mutationFn: () => orderExport(user.id, reason.trim()),
    onSuccess: () => {
      toasts.say(t.privacy.ordered(user.name))
      onClose()
    },
  })
  return (
    <FormDialog
      title={t.privacy.exportOfTitle(user.name)}
      action={t.privacy.exportOf}
      busy={ordering.isPending}
      ready={reason.trim().length >= SHORTEST_REASON}
      error={ordering.error}
      onSubmit={() => ordering.mutate()}
      onClose={onClose}
    >
      <Text c="dimmed">{t.privacy.exportOfText}</Text>
      <TextInput
        label={t.privacy.reason}
        description={t.privacy.reasonHint}
        data-autofocus
        maxLength={500}
        autoComplete="off"
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
    </FormDialog>
  )
}

/** The end of somebody's account; without the grace only when its address is typed. */
export function DeletePersonDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const { t, format } = useLanguage()
  const toasts = useToasts()
  const client = useQueryClient()
  const [reason, setReason] = useState('')
  const [immediately, setImmediately] = useState(false)
  const [typed, setTyped] = useState('')
  const ordering = useMutation({
    mutationFn: () =>
      orderDeletion(user.id, { reason: reason.trim(), immediately, confirmation: immediately ? typed.trim() : '' }),
    onSuccess: async ({ due_at: due }) => {
      toasts.say(immediately ? t.privacy.erasingNow(user.name) : t.privacy.willBeErased(user.name, format.dateTime(due)))
      onClose()
      await client.invalidateQueries({ queryKey: ['users'] })
    },
  })
  const problem = ordering.error instanceof Problem ? ordering.error : null
  return (
    <FormDialog
      title={t.privacy.deleteTitle(user.name)}
      action={t.privacy.deleteSomebody}
      grave
      busy={ordering.isPending}
      ready={reason.trim().length >= SHORTEST_REASON && (!immediately || typed.trim() === user.email)}
      error={ordering.error}
      onSubmit={() => ordering.mutate()}
      onClose={onClose}
    >
      <Text c="dimmed">{t.privacy.deleteSomebodyText}</Text>
      <TextInput
        label={t.privacy.reason}
        description={t.privacy.reasonTold}
        data-autofocus
        maxLength={500}
        autoComplete="off"
        value={reason}
        error={problem?.fieldError('reason')}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      <Checkbox
        label={t.privacy.immediately}
        checked={immediately}
        onChange={(event) => setImmediately(event.currentTarget.checked)}
      />
      {immediately && (
        <TextInput
          label={t.privacy.typeAddress(user.email)}
          autoComplete="off"
          value={typed}
          error={problem?.fieldError('confirmation')}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
      )}
    </FormDialog>
  )
}
