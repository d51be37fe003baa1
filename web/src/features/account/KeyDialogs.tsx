import { Select, Text, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Problem } from '@/api/client'
import { changeKey, revokeKey, rotateKey } from '@/api/keys'
import type { Key } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ConfirmByTyping } from '@/ui/ConfirmByTyping'
import { FormDialog } from '@/ui/FormDialog'
import { useToasts } from '@/ui/toasts'
import { BoundsFields, boundsOf, wishOf } from './KeyBounds'
import { ShownOnce } from './ShownOnce'
import { useKeyWords } from './keyWords'

interface KeyDialogProps {
  of: Key
  onClose: () => void
}

export function ChangeKeyDialog({ of: key, onClose }: KeyDialogProps) {
  const { t } = useLanguage()
  const words = useKeyWords()
  const client = useQueryClient()
  const toasts = useToasts()
  const [name, setName] = useState(key.name)
  const [bounds, setBounds] = useState(boundsOf(key))
  const change = useMutation({
    mutationFn: () => changeKey(key.id, { name: name.trim(), ...wishOf(bounds) }),
    onSuccess: async () => {
      toasts.say(words.changed)
      onClose()
      await client.invalidateQueries({ queryKey: ['keys'] })
    },
  })
  const problem = change.error instanceof Problem ? change.error : null
  return (
    <FormDialog
      title={words.changeTitle(key.name)}
      action={t.common.save}
      size={520}
      busy={change.isPending}
      ready={name.trim() !== ''}
      error={change.error}
      onSubmit={() => change.mutate()}
      onClose={onClose}
    >
      <TextInput
        label={t.keys.name}
        data-autofocus
        maxLength={100}
        value={name}
        error={problem?.fieldError('name')}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <BoundsFields open value={bounds} problem={problem} onChange={setBounds} />
    </FormDialog>
  )
}

type Overlap = '0' | '1' | '3' | '7'

export function RotateKeyDialog({ of: key, onClose }: KeyDialogProps) {
  const words = useKeyWords()
  const client = useQueryClient()
  // While an earlier secret still works, another may only be made by ending both.
  const [overlap, setOverlap] = useState<Overlap>(key.previous_until === null ? '1' : '0')
  const rotate = useMutation({
    mutationFn: () => rotateKey(key.id, Number(overlap)),
    onSuccess: () => client.invalidateQueries({ queryKey: ['keys'] }),
  })
  if (rotate.data) return <ShownOnce secret={rotate.data.key} onClose={onClose} />
  return (
    <FormDialog
      title={words.rotateTitle(key.name)}
      action={words.rotate}
      busy={rotate.isPending}
      error={rotate.error}
      onSubmit={() => rotate.mutate()}
      onClose={onClose}
    >
      <Text c="dimmed">{words.rotateText}</Text>
      <Select
        label={words.overlap}
        data-autofocus
        allowDeselect={false}
        data={(['1', '3', '7', '0'] as const).map((value) => ({ value, label: words.overlaps[value] }))}
        value={overlap}
        onChange={(value) => setOverlap(value ?? '1')}
      />
      {overlap === '0' && (
        <Text size="sm" c="var(--hub-bad)">
          {words.rotateNow}
        </Text>
      )}
    </FormDialog>
  )
}

export function RevokeKeyDialog({ of: key, onClose }: KeyDialogProps) {
  const { t } = useLanguage()
  const client = useQueryClient()
  const toasts = useToasts()
  const revoke = useMutation({
    mutationFn: () => revokeKey(key.id),
    onSuccess: async () => {
      toasts.say(t.keys.revokedToast)
      onClose()
      await client.invalidateQueries({ queryKey: ['keys'] })
    },
  })
  return (
    <ConfirmByTyping
      title={t.keys.revokeTitle(key.name)}
      text={t.keys.revokeText}
      word={key.name}
      ask={t.keys.revokeConfirm(key.name)}
      action={t.keys.revoke}
      busy={revoke.isPending}
      error={revoke.error}
      onConfirm={() => revoke.mutate()}
      onClose={onClose}
    />
  )
}
