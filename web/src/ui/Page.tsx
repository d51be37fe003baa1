import { Text, Title } from '@mantine/core'
import { useEffect, type ReactNode } from 'react'
import { useLanguage } from '@/i18n'
import classes from './panels.module.css'

export function useDocumentTitle(title: string): void {
  const { t } = useLanguage()
  useEffect(() => {
    document.title = title === '' ? t.product : `${title} · ${t.product}`
  }, [title, t.product])
}

/** A page of reading and settings: title, one sentence, its main action, content. */
export function Page({ title, lead, action, children }: { title: string; lead: string; action?: ReactNode; children: ReactNode }) {
  useDocumentTitle(title)
  return (
    <div className={classes.page}>
      <div className={classes.pageHead}>
        <div>
          <Title order={1}>{title}</Title>
          <Text c="dimmed">{lead}</Text>
        </div>
        {action}
      </div>
      {children}
    </div>
  )
}

export function Section({ title, action, children }: { title: string; action?: ReactNode; children: ReactNode }) {
  return (
    <section className={classes.section} aria-label={title}>
      <div className={classes.sectionHead}>
        <Title order={2}>{title}</Title>
        {action}
      </div>
      {children}
    </section>
  )
}
