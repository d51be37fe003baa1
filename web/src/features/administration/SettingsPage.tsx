import { Skeleton, Text, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { IconAdjustments, IconSearch } from '@tabler/icons-react'
import { useSearchParams } from 'react-router'
import { listSettings } from '@/api/operations'
import type { Setting } from '@/api/types'
import { useLanguage } from '@/i18n'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Page, Section } from '@/ui/Page'
import classes from './administration.module.css'

export function SettingsPage() {
  const { t } = useLanguage()
  const [params, setParams] = useSearchParams()
  const search = params.get('search') ?? ''
  const settings = useQuery({ queryKey: ['settings'], queryFn: ({ signal }) => listSettings(signal) })
  const wanted = search.trim().toLowerCase()
  const matching = settings.data?.items.filter(({ name, description, section }) =>
    `${name} ${description} ${section}`.toLowerCase().includes(wanted),
  )
  const sections = new Map<string, Setting[]>()
  for (const setting of matching ?? []) {
    sections.set(setting.section, [...(sections.get(setting.section) ?? []), setting])
  }

  const columns: Column<Setting>[] = [
    {
      key: 'name',
      header: t.settings.name,
      width: '52%',
      cell: (setting) => (
        <>
          <span className={classes.mono}>{setting.name}</span>
          {/* The hub documents its settings in English; a screen reader must know. */}
          <Text size="xs" c="dimmed" lang="en">
            {setting.description}
          </Text>
        </>
      ),
    },
    {
      key: 'value',
      header: t.settings.value,
      width: '30%',
      cell: (setting) => (
        <>
          {setting.value === null || setting.value === '' ? (
            <span className={classes.faint}>{t.settings.notSet}</span>
          ) : (
            <span className={classes.mono}>{setting.value}</span>
          )}
          {setting.source !== 'default' && setting.default !== null && setting.default !== '' && (
            <Text size="xs" c="dimmed" className={classes.breakable}>
              {t.settings.defaultIs(setting.default)}
            </Text>
          )}
        </>
      ),
    },
    {
      key: 'source',
      header: t.settings.source,
      wide: true,
      cell: (setting) => {
        const [kind = '', ...name] = setting.source.split(' ')
        return (
          <>
            {t.settings.sources[kind] ?? kind}
            {name.length > 0 && <div className={classes.mono}>{name.join(' ')}</div>}
          </>
        )
      },
    },
  ]

  return (
    <Page title={t.settings.title} lead={t.settings.lead}>
      <TextInput
        type="search"
        maw={320}
        aria-label={t.settings.search}
        placeholder={t.settings.search}
        leftSection={<IconSearch size={15} />}
        value={search}
        onChange={(event) => {
          const text = event.currentTarget.value
          setParams(text === '' ? {} : { search: text }, { replace: true })
        }}
      />
      {settings.isError && settings.data === undefined ? (
        <ErrorPanel error={settings.error} onRetry={() => void settings.refetch()} />
      ) : matching === undefined ? (
        <Skeleton height={320} mt="md" aria-label={t.common.loading} />
      ) : matching.length === 0 ? (
        <EmptyState icon={<IconAdjustments size={20} />} title={t.settings.empty} text={t.settings.emptyText} />
      ) : (
        [...sections].map(([section, rows]) => (
          <Section key={section} title={t.settings.sections[section] ?? section}>
            <DataTable label={t.settings.sections[section] ?? section} columns={columns} rows={rows} rowKey={({ name }) => name} empty={null} />
          </Section>
        ))
      )}
    </Page>
  )
}
