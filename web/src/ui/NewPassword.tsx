import { PasswordInput, Text } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Problem } from '@/api/client'
import { ratePassword } from '@/api/mail'
import { useLanguage, type Messages } from '@/i18n'
import classes from './NewPassword.module.css'

const PAUSE_MS = 350
const GOOD_ENOUGH = 3

/** Why the server refused this field's password, in the reader's language. */
function refusal(error: Error | null, field: string, t: Messages): string | null {
  const found = error instanceof Problem ? error.errors.find((one) => one.field === field) : undefined
  return found === undefined ? null : (t.strength.problems[found.code ?? ''] ?? found.message)
}

export interface NewPasswordProps {
  label: string
  value: string
  onChange: (password: string) => void
  /** What guessers may know of the person. */
  email?: string
  name?: string
  /** The refusal of the form, and the name of this field in it. */
  error: Error | null
  field?: string
  autoFocus?: boolean
  description?: string
}

/** A password that is being chosen, with what the server thinks of it. */
export function NewPassword({ label, value, onChange, email = '', name = '', error, field = 'password', autoFocus, description }: NewPasswordProps) {
  const { t } = useLanguage()
  const [typed] = useDebouncedValue(value, PAUSE_MS)
  const rating = useQuery({
    queryKey: ['password-strength', typed, email, name],
    queryFn: ({ signal }) => ratePassword({ password: typed, email, name }, signal),
    enabled: typed !== '' && value !== '',
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    // A password is not kept longer than its field.
    gcTime: 0,
    retry: false,
  })
  const judged = value === '' ? undefined : rating.data
  const reason = judged?.problem == null ? null : (t.strength.problems[judged.problem] ?? judged.message)
  return (
    <div>
      <PasswordInput
        label={label}
        description={description ?? t.strength.hint}
        name="password"
        autoComplete="new-password"
        required
        withAsterisk={false}
        autoFocus={autoFocus ?? false}
        visibilityToggleButtonProps={{ 'aria-label': t.common.showPassword, tabIndex: 0 }}
        value={value}
        error={refusal(error, field, t)}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
      {judged !== undefined && (
        <div className={classes.strength}>
          <div
            className={classes.bars}
            role="meter"
            aria-label={t.strength.label}
            aria-valuemin={0}
            aria-valuemax={4}
            aria-valuenow={judged.score}
            aria-valuetext={t.strength.levels[judged.score] ?? ''}
            data-tone={judged.problem !== null ? 'bad' : judged.score > GOOD_ENOUGH ? 'ok' : 'fair'}
          >
            {[1, 2, 3, 4].map((bar) => (
              <span key={bar} data-on={judged.score >= bar || undefined} />
            ))}
          </div>
          <Text size="xs" c="dimmed" aria-live="polite">
            {t.strength.levels[judged.score]}
            {reason !== null && `. ${reason}`}
          </Text>
        </div>
      )}
    </div>
  )
}
