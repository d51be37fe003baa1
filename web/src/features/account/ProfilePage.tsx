import { Button, PasswordInput, SegmentedControl, Skeleton, Stack, Text, TextInput, useMantineColorScheme } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Problem } from '@/api/client'
import { changeMe, changePassword } from '@/api/identity'
import { secondFactorQuery } from '@/api/security'
import { updateAccount } from '@/api/session'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { NewPassword } from '@/ui/NewPassword'
import { Page, Section } from '@/ui/Page'
import { useSession } from '@/ui/session'
import { useToasts } from '@/ui/toasts'
import { AddressSection } from './AddressSection'

const FORM_WIDTH = 420

export function ProfilePage() {
  const { t } = useLanguage()
  return (
    <Page title={t.profile.title} lead={t.profile.lead}>
      <You />
      <AddressSection width={FORM_WIDTH} />
      <Appearance />
      <Password />
    </Page>
  )
}

function You() {
  const { t } = useLanguage()
  const { user } = useSession()
  const client = useQueryClient()
  const toasts = useToasts()
  const [name, setName] = useState(user.name)
  const change = useMutation({
    mutationFn: () => changeMe({ name: name.trim() }),
    onSuccess: (changed) => {
      updateAccount(client, changed)
      toasts.say(t.common.saved)
    },
  })
  return (
    <Section title={t.profile.you}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          change.mutate()
        }}
      >
        <Stack gap="md" maw={FORM_WIDTH}>
          <TextInput
            label={t.profile.name}
            autoComplete="name"
            required
            withAsterisk={false}
            value={name}
            error={change.error instanceof Problem ? change.error.fieldError('name') : null}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <TextInput label={t.profile.roles} value={user.roles.map((role) => t.roles[role] ?? role).join(', ')} readOnly variant="filled" />
          {change.isError && <ErrorPanel error={change.error} compact />}
          <div>
            <Button
              type="submit"
              variant="default"
              disabled={name.trim() === '' || name.trim() === user.name}
              loading={change.isPending}
            >
              {t.common.save}
            </Button>
          </div>
        </Stack>
      </form>
    </Section>
  )
}

function Appearance() {
  const { t, locale, setLocale } = useLanguage()
  const { user } = useSession()
  const { setColorScheme } = useMantineColorScheme()
  const client = useQueryClient()
  const toasts = useToasts()
  const change = useMutation({
    mutationFn: changeMe,
    onSuccess: (changed) => updateAccount(client, changed),
    onError: toasts.fail,
  })
  return (
    <Section title={t.profile.appearance}>
      <Stack gap="md" maw={FORM_WIDTH}>
        <div role="group" aria-label={t.profile.language}>
          <Text size="sm" fw={500} mb={4}>
            {t.profile.language}
          </Text>
          <SegmentedControl
            value={locale}
            data={[
              { value: 'en', label: 'English' },
              { value: 'fr', label: 'Français' },
            ]}
            onChange={(value) => {
              setLocale(value)
              change.mutate({ locale: value })
            }}
          />
        </div>
        <div role="group" aria-label={t.profile.theme}>
          <Text size="sm" fw={500} mb={4}>
            {t.profile.theme}
          </Text>
          <SegmentedControl
            value={user.theme}
            data={(['system', 'light', 'dark'] as const).map((theme) => ({
              value: theme,
              label: t.profile.themes[theme],
            }))}
            onChange={(value) => {
              setColorScheme(value === 'system' ? 'auto' : (value))
              updateAccount(client, { ...user, theme: value })
              change.mutate({ theme: value })
            }}
          />
        </div>
      </Stack>
    </Section>
  )
}

function Password() {
  const { t } = useLanguage()
  const { user } = useSession()
  const toasts = useToasts()
  const client = useQueryClient()
  const has = useQuery(secondFactorQuery)
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const change = useMutation({
    mutationFn: changePassword,
    onSuccess: () => {
      setCurrent('')
      setNext('')
      toasts.say(t.profile.passwordChanged)
      void client.invalidateQueries({ queryKey: secondFactorQuery.queryKey })
    },
  })
  if (has.isPending) {
    return (
      <Section title={t.profile.password}>
        <Skeleton height={180} maw={FORM_WIDTH} />
      </Section>
    )
  }
  // Whoever came by a provider or a passkey may have none; a fresh proof stands in for it.
  const none = has.data?.password === false
  return (
    <Section title={t.profile.password}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          change.mutate(none ? { new_password: next } : { current_password: current, new_password: next })
        }}
      >
        <Stack gap="md" maw={FORM_WIDTH}>
          <input type="hidden" autoComplete="username" value={user.email} readOnly />
          {!none && (
            <PasswordInput
              label={t.profile.currentPassword}
              autoComplete="current-password"
              required
              withAsterisk={false}
              visibilityToggleButtonProps={{ 'aria-label': t.common.showPassword, tabIndex: 0 }}
              value={current}
              error={change.error instanceof Problem ? change.error.fieldError('current_password') : null}
              onChange={(event) => setCurrent(event.currentTarget.value)}
            />
          )}
          <NewPassword
            label={t.profile.newPassword}
            value={next}
            onChange={setNext}
            email={user.email}
            name={user.name}
            error={change.error}
            field="new_password"
          />
          {change.isError && <ErrorPanel error={change.error} compact />}
          <Text size="sm" c="dimmed">
            {none ? t.profile.noPasswordText : t.profile.passwordText}
          </Text>
          <div>
            <Button
              type="submit"
              variant="default"
              disabled={(current === '' && !none) || next === ''}
              loading={change.isPending}
            >
              {none ? t.profile.setPassword : t.profile.changePassword}
            </Button>
          </div>
        </Stack>
      </form>
    </Section>
  )
}
