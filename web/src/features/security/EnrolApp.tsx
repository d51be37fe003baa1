import { Button, Skeleton, Stack, Text, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Problem } from '@/api/client'
import { beginTotp, confirmTotp } from '@/api/security'
import type { Enrolment } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { RecoveryCodes } from './RecoveryCodes'
import classes from './security.module.css'

/** From the picture over the first code to the recovery codes. */
export function EnrolApp({ onDone }: { onDone: () => void }) {
  // A secret is made once for each time this is shown, and is not kept afterwards.
  const begun = useQuery({
    queryKey: ['security', 'enrolment'],
    queryFn: beginTotp,
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  })
  if (begun.isPending) return <Skeleton height={320} />
  if (begun.isError) return <ErrorPanel error={begun.error} onRetry={() => void begun.refetch()} />
  return <FirstCode enrolment={begun.data} onDone={onDone} />
}

function FirstCode({ enrolment, onDone }: { enrolment: Enrolment; onDone: () => void }) {
  const { t } = useLanguage()
  const [code, setCode] = useState('')
  const confirming = useMutation({ mutationFn: () => confirmTotp(code.trim()) })
  const { size, picture, secret } = enrolment
  if (confirming.data) return <RecoveryCodes codes={confirming.data} onKept={onDone} />
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        confirming.mutate()
      }}
    >
      <Stack gap="md">
        <Text>{t.security.scan}</Text>
        <svg viewBox={`0 0 ${size} ${size}`} role="img" aria-label={t.security.picture} className={classes.picture}>
          <rect width={size} height={size} fill="#fff" />
          <path d={picture} fill="#000" shapeRendering="crispEdges" />
        </svg>
        <TextInput
          label={t.security.typeSecret}
          readOnly
          variant="filled"
          value={secret}
          classNames={{ input: classes.secret ?? '' }}
          onFocus={(event) => event.currentTarget.select()}
        />
        <TextInput
          label={t.security.firstCode}
          inputMode="numeric"
          autoComplete="one-time-code"
          required
          data-autofocus
          withAsterisk={false}
          value={code}
          error={confirming.error instanceof Problem ? confirming.error.fieldError('code') : null}
          onChange={(event) => setCode(event.currentTarget.value)}
        />
        {confirming.isError && <ErrorPanel error={confirming.error} compact />}
        <Button type="submit" disabled={code.trim() === ''} loading={confirming.isPending}>
          {t.security.confirm}
        </Button>
      </Stack>
    </form>
  )
}
