import { NumberInput, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { idempotencyKey, Problem } from '@/api/client'
import { grantCredits } from '@/api/credits'
import type { User } from '@/api/types'
import { useLanguage } from '@/i18n'
import { FormDialog } from '@/ui/FormDialog'
import { useToasts } from '@/ui/toasts'

export function GrantDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const { t, format } = useLanguage()
  const client = useQueryClient()
  const toasts = useToasts()
  const [amount, setAmount] = useState<string | number>('')
  const [reason, setReason] = useState('')
  // One key for one wish: a second press of the button must not grant twice, a changed wish must not be swallowed.
  const [wish, setWish] = useState(idempotencyKey)
  const grant = useMutation({
    mutationFn: () => grantCredits(user.id, { amount: String(amount), reason: reason.trim() }, wish),
    onSuccess: async () => {
      toasts.say(t.users.granted(format.credits(String(amount)), user.name))
      onClose()
      await client.invalidateQueries({ queryKey: ['credits'] })
    },
  })
  const problem = grant.error instanceof Problem ? grant.error : null
  return (
    <FormDialog
      title={t.users.grantTitle(user.name)}
      action={t.users.grant}
      busy={grant.isPending}
      ready={Number(amount) > 0 && reason.trim() !== ''}
      error={grant.error}
      onSubmit={() => grant.mutate()}
      onClose={onClose}
    >
      <NumberInput
        label={t.users.amount}
        data-autofocus
        allowNegative={false}
        decimalScale={6}
        value={amount}
        error={problem?.fieldError('amount')}
        onChange={(value) => {
          setAmount(value)
          setWish(idempotencyKey())
        }}
      />
      <TextInput
        label={t.users.reason}
        description={t.users.reasonHint}
        maxLength={200}
        value={reason}
        error={problem?.fieldError('reason')}
        onChange={(event) => {
          setReason(event.currentTarget.value)
          setWish(idempotencyKey())
        }}
      />
    </FormDialog>
  )
}
