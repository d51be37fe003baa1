import { Button, Stack, Text } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useLocation } from 'react-router'
import { openCertificate, type Certificate } from '@/api/privacy'
import { LinkMissing } from './LinkMissing'
import { linkToken } from './linkToken'
import { useLanguage } from '@/i18n'
import { EntryPage } from '@/ui/EntryPage'
import { ErrorPanel } from '@/ui/ErrorPanel'

/** The certificate of the last letter, for whoever has its link. */
export function CertificatePage() {
  const { t } = useLanguage()
  const [token] = useState(linkToken(useLocation()))
  const opening = useMutation({ mutationFn: () => openCertificate(token) })
  if (token === '') return <LinkMissing />
  if (opening.data !== undefined) return <Shown certificate={opening.data} />
  return (
    <EntryPage title={t.privacy.certificateTitle} lead={t.privacy.certificateAsk}>
      <Stack gap="md">
        {opening.isError && <ErrorPanel error={opening.error} compact />}
        <Button size="md" fullWidth loading={opening.isPending} onClick={() => opening.mutate()}>
          {t.privacy.certificateOpen}
        </Button>
      </Stack>
    </EntryPage>
  )
}

function Shown({ certificate }: { certificate: Certificate }) {
  const { t, format } = useLanguage()
  const rows = certificate.erased.reduce((sum, entry) => sum + entry.rows, 0)
  const file = `data:application/json;charset=utf-8,${encodeURIComponent(JSON.stringify(certificate, null, 2))}`
  return (
    <EntryPage
      title={t.privacy.certificateTitle}
      lead={t.privacy.certificateLead(certificate.hub, format.dateTime(certificate.erased_at))}
    >
      <Stack gap="md">
        <Text size="sm">{t.privacy.rowsErased(rows, format.number(rows))}</Text>
        <div>
          <Text size="sm" fw={500}>
            {t.privacy.pseudonym}
          </Text>
          <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
            {certificate.pseudonym}
          </Text>
        </div>
        <div>
          <Text size="sm" fw={500}>
            {t.privacy.keptFor}
          </Text>
          {certificate.kept
            .filter((entry) => entry.rows > 0)
            .map((entry) => (
              <Text size="sm" c="dimmed" key={entry.data} mt={4}>
                {t.privacy.kinds[entry.data] ?? entry.title}. {t.privacy.reasons[entry.data] ?? entry.why}
              </Text>
            ))}
        </div>
        <Button component="a" href={file} download={`deletion-${certificate.pseudonym}.json`} fullWidth>
          {t.privacy.save}
        </Button>
      </Stack>
    </EntryPage>
  )
}
