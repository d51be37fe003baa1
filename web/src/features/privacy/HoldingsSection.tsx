import { Anchor, Text } from '@mantine/core'
import { useState } from 'react'
import type { Holding } from '@/api/privacy'
import { useLanguage } from '@/i18n'
import { DataTable, type Column } from '@/ui/DataTable'
import { Section } from '@/ui/Page'

const some = ({ count }: Holding) => count > 0
const none = ({ count }: Holding) => count === 0

export function HoldingsSection({ holdings }: { holdings: Holding[] | undefined }) {
  const { t, format } = useLanguage()
  const [all, setAll] = useState(false)
  const fate = ({ name, kept }: Holding) =>
    kept === '' ? t.privacy.erased : t.privacy.kept(t.privacy.reasons[name] ?? kept)
  const columns: Column<Holding>[] = [
    {
      key: 'what',
      header: t.privacy.what,
      cell: (holding) => (
        <>
          <Text size="sm">{t.privacy.kinds[holding.name] ?? holding.title}</Text>
          {holding.kept !== '' && (
            <Text size="xs" c="dimmed" hiddenFrom="sm">
              {fate(holding)}
            </Text>
          )}
        </>
      ),
    },
    { key: 'fate', header: t.privacy.whenDeleted, wide: true, width: '46%', cell: fate },
    { key: 'rows', header: t.privacy.rows, numeric: true, cell: ({ count }) => format.number(count) },
  ]
  const empty = holdings?.filter(none).length ?? 0
  return (
    <Section title={t.privacy.held}>
      <DataTable
        label={t.privacy.held}
        columns={columns}
        rows={holdings && [...holdings.filter(some), ...(all ? holdings.filter(none) : [])]}
        rowKey={({ name }) => name}
        empty={null}
      />
      {empty > 0 && (
        <Text size="sm" c="dimmed" mt="xs">
          {t.privacy.nothingElse(empty)}{' '}
          <Anchor component="button" type="button" size="sm" aria-expanded={all} onClick={() => setAll(!all)}>
            {all ? t.privacy.hide : t.privacy.showAll}
          </Anchor>
        </Text>
      )}
    </Section>
  )
}
