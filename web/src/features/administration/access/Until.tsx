import { TextInput } from '@mantine/core'
import { useLanguage } from '@/i18n'
import classes from './access.module.css'

export interface Term {
  /** As the browser's own field writes it: local time without a zone; empty for good. */
  until: string
  reason: string
}

export const FOR_GOOD: Term = { until: '', reason: '' }

export const wishOf = ({ until, reason }: Term) => ({
  expires_at: until === '' ? null : new Date(until).toISOString(),
  reason: reason.trim(),
})

/** Until when something is given, and why. */
export function Until({ value, error, onChange }: { value: Term; error?: string | null | undefined; onChange: (term: Term) => void }) {
  const { t } = useLanguage()
  return (
    <div className={classes.pair}>
      <TextInput
        type="datetime-local"
        label={t.access.until}
        description={t.access.untilHint}
        value={value.until}
        error={error}
        onChange={(event) => onChange({ ...value, until: event.currentTarget.value })}
      />
      <TextInput
        label={t.access.reason}
        description={t.access.reasonHint}
        autoComplete="off"
        maxLength={300}
        value={value.reason}
        onChange={(event) => onChange({ ...value, reason: event.currentTarget.value })}
      />
    </div>
  )
}
