import { Button, Checkbox, Text, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { switchPeople, type Switched } from '@/api/people'
import { useLanguage } from '@/i18n'
import { FormDialog } from '@/ui/FormDialog'
import { useToasts } from '@/ui/toasts'
import classes from './people.module.css'
import { usePeopleWords } from './words'

const MOST_AT_ONCE = 200
/** From so many on, a number typed by hand is asked for. */
const MANY = 5

async function switchAll(ids: string[], active: boolean, revokeKeys: boolean): Promise<Switched[]> {
  const done: Switched[] = []
  for (let at = 0; at < ids.length; at += MOST_AT_ONCE) {
    const part = ids.slice(at, at + MOST_AT_ONCE)
    done.push(...(await switchPeople({ user_ids: part, active, revoke_keys: revokeKeys })).items)
  }
  return done
}

/** What can be done with the people who are selected. */
export function Chosen({ ids, onClear }: { ids: string[]; onClear: () => void }) {
  const { t } = useLanguage()
  const w = usePeopleWords()
  const [asking, setAsking] = useState(false)
  const client = useQueryClient()
  const toasts = useToasts()
  const turn = useMutation({
    mutationFn: ({ of, active, keys }: { of: string[]; active: boolean; keys: boolean }) => switchAll(of, active, keys),
    onSuccess: async (done, { active, keys }) => {
      const changed = done.filter((one) => one.changed).map(({ id }) => id)
      const refused = done.filter(({ code }) => code !== null)
      const words = active ? w.people.switchedOn(changed.length) : w.people.switchedOff(changed.length)
      const undo = () => turn.mutate({ of: changed, active: !active, keys: false })
      // What was revoked does not come back, so that there is no undo which would seem to do that.
      if (changed.length > 0 && !keys) toasts.say(words, undo)
      else if (changed.length > 0) toasts.say(words)
      if (refused.length > 0) toasts.say(`${w.people.refused(refused.length)}: ${refused[0]?.detail ?? ''}`)
      setAsking(false)
      onClear()
      await client.invalidateQueries({ queryKey: ['users'] })
    },
    onError: toasts.fail,
  })
  return (
    <div className={classes.chosen} role="region" aria-label={w.people.selected(ids.length)}>
      <Text fw={500}>{w.people.selected(ids.length)}</Text>
      <Button variant="subtle" onClick={onClear}>
        {w.people.none}
      </Button>
      <Button
        variant="default"
        loading={turn.isPending && !asking}
        onClick={() => turn.mutate({ of: ids, active: true, keys: false })}
      >
        {t.users.activate}
      </Button>
      <Button color="red" onClick={() => setAsking(true)}>
        {t.users.deactivate}
      </Button>
      {asking && (
        <DeactivateDialog
          count={ids.length}
          busy={turn.isPending}
          error={turn.error instanceof Error ? turn.error : null}
          onConfirm={(keys) => turn.mutate({ of: ids, active: false, keys })}
          onClose={() => setAsking(false)}
        />
      )}
    </div>
  )
}

interface DeactivateDialogProps {
  count: number
  busy: boolean
  error: Error | null
  onConfirm: (revokeKeys: boolean) => void
  onClose: () => void
}

function DeactivateDialog({ count, busy, error, onConfirm, onClose }: DeactivateDialogProps) {
  const { t } = useLanguage()
  const w = usePeopleWords()
  const [keys, setKeys] = useState(false)
  const [typed, setTyped] = useState('')
  const asks = count >= MANY || keys
  return (
    <FormDialog
      title={w.people.deactivateMany(count)}
      action={t.users.deactivate}
      busy={busy}
      ready={!asks || typed.trim() === String(count)}
      error={error}
      onSubmit={() => onConfirm(keys)}
      onClose={onClose}
    >
      <Text c="dimmed">{w.people.deactivateText}</Text>
      <Checkbox
        label={w.people.revokeKeys}
        checked={keys}
        onChange={(event) => setKeys(event.currentTarget.checked)}
      />
      {asks && (
        <TextInput
          label={w.people.typeNumber(count)}
          inputMode="numeric"
          autoComplete="off"
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
      )}
    </FormDialog>
  )
}
