import { IconChevronRight } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { useLanguage } from '@/i18n'
import classes from './messages.module.css'
import type { ToolUse } from './parts'

export function Folded({ title, children }: { title: string; children: ReactNode }) {
  return (
    <details className={classes.folded}>
      <summary>
        <IconChevronRight size={14} aria-hidden />
        {title}
      </summary>
      {children}
    </details>
  )
}

const written = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value, null, 2))

export function ToolView({ tool }: { tool: ToolUse }) {
  const { t } = useLanguage()
  return (
    <Folded title={tool.done ? t.chat.tool(tool.name) : t.chat.toolRunning(tool.name)}>
      <div className={classes.tool}>
        <span>{t.chat.toolInput}</span>
        <pre>{written(tool.input)}</pre>
        {tool.output !== null && tool.output !== undefined && (
          <>
            <span>{t.chat.toolOutput}</span>
            <pre>{written(tool.output)}</pre>
          </>
        )}
      </div>
    </Folded>
  )
}
