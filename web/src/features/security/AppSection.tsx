import { Button, Group, Modal, Skeleton, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { removeTotp, replaceRecoveryCodes } from '@/api/security'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { FormDialog } from '@/ui/FormDialog'
import { Section } from '@/ui/Page'
import { Status } from '@/ui/Status'
import { useToasts } from '@/ui/toasts'
import { EnrolApp } from './EnrolApp'
import { RecoveryCodes } from './RecoveryCodes'
import { secondFactorQuery } from './queries'
import classes from './security.module.css'

type Dialog = 'enrol' | 'remove' | 'codes'

/** The authenticator app and the codes for when the phone is gone. */
export function AppSection() {
  const { t, format } = useLanguage()
  const toasts = useToasts()
  const client = useQueryClient()
  const has = useQuery(secondFactorQuery)
  const [dialog, setDialog] = useState<Dialog | null>(null)
  const refresh = () => client.invalidateQueries({ queryKey: secondFactorQuery.queryKey })
  const close = () => {
    setDialog(null)
    codes.reset()
    void refresh()
  }
  const removing = useMutation({
    mutationFn: removeTotp,
    onSuccess: () => {
      setDialog(null)
      toasts.say(t.security.appRemoved)
      return refresh()
    },
  })
  const codes = useMutation({ mutationFn: replaceRecoveryCodes })
  const since = has.data?.totp_since ?? null

  return (
    <Section title={t.security.app}>
      {has.isError ? (
        <ErrorPanel error={has.error} onRetry={() => void has.refetch()} />
      ) : (
        <>
          <div className={classes.panel}>
            <div>
              <Text size="sm" c="dimmed">
                {t.security.appText}
              </Text>
              {has.data === undefined ? (
                <Skeleton height={14} mt={6} width={140} />
              ) : (
                <Status tone={since === null ? 'off' : 'ok'}>
                  {since === null ? t.security.appOff : t.security.appSince(format.date(since))}
                </Status>
              )}
            </div>
            <Group gap="xs">
              {since !== null && (
                <Button size="xs" variant="default" onClick={() => setDialog('remove')}>
                  {t.security.removeApp}
                </Button>
              )}
              <Button size="xs" variant={since === null ? 'filled' : 'default'} onClick={() => setDialog('enrol')}>
                {since === null ? t.security.setUpApp : t.security.replaceApp}
              </Button>
            </Group>
          </div>
          {since !== null && (
            <div className={classes.panel}>
              <div>
                <Text size="sm" fw={500}>
                  {t.security.recovery}
                </Text>
                <Text size="sm" c="dimmed">
                  {t.security.recoveryText} {t.security.recoveryLeft(has.data?.recovery_codes_left ?? 0)}.
                </Text>
              </div>
              <Button size="xs" variant="default" onClick={() => setDialog('codes')}>
                {t.security.newCodes}
              </Button>
            </div>
          )}
        </>
      )}
      {dialog === 'enrol' && (
        <Modal
          opened
          onClose={close}
          title={since === null ? t.security.setUpApp : t.security.replaceApp}
          closeOnClickOutside={false}
          closeButtonProps={{ 'aria-label': t.common.close }}
        >
          <EnrolApp onDone={close} />
        </Modal>
      )}
      {dialog === 'remove' && (
        <FormDialog
          title={t.security.removeApp}
          action={t.security.remove}
          busy={removing.isPending}
          error={removing.error}
          onSubmit={() => removing.mutate()}
          onClose={close}
        >
          <Text c="dimmed">{t.security.removeAppText}</Text>
        </FormDialog>
      )}
      {dialog === 'codes' &&
        (codes.data === undefined ? (
          <FormDialog
            title={t.security.newCodes}
            action={t.security.newCodes}
            busy={codes.isPending}
            error={codes.error}
            onSubmit={() => codes.mutate()}
            onClose={close}
          >
            <Text c="dimmed">{t.security.newCodesText}</Text>
          </FormDialog>
        ) : (
          <Modal
            opened
            onClose={close}
            title={t.security.codesTitle}
            closeOnClickOutside={false}
            closeButtonProps={{ 'aria-label': t.common.close }}
          >
            <RecoveryCodes codes={codes.data} onKept={close} />
          </Modal>
        ))}
    </Section>
  )
}
