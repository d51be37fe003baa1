import { Text, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { useLanguage } from '@/i18n'
import { BrandMark } from './Brand'
import classes from './EntryPage.module.css'
import { useDocumentTitle } from './Page'

/** The pages before the shell: one card in the middle. */
export function EntryPage({ title, lead, children }: { title: string; lead?: string; children?: ReactNode }) {
  const { t, locale, setLocale } = useLanguage()
  useDocumentTitle(title)
  const other = locale === 'en' ? 'fr' : 'en'
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <div className={classes.brand}>
          <BrandMark size={28} />
          <Text fw={600}>{t.product}</Text>
        </div>
        <Title order={1}>{title}</Title>
        {lead !== undefined && (
          <Text c="dimmed" mt={4}>
            {lead}
          </Text>
        )}
        {children !== undefined && <div className={classes.body}>{children}</div>}
      </div>
      <button type="button" lang={other} className={classes.language} onClick={() => setLocale(other)}>
        {other === 'fr' ? 'Français' : 'English'}
      </button>
    </main>
  )
}
