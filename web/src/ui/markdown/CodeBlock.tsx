import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useEffect, useState, type ReactNode } from 'react'
import { useLanguage } from '@/i18n'
import { useCopied } from '@/ui/useCopied'
import classes from './Markdown.module.css'

type Paint = (code: string, language: string) => ReactNode

let painter: Paint | null = null

/** Colours come after the text, from a script of their own that a page without code never loads. */
function usePainter(wanted: boolean): Paint | null {
  const [paint, setPaint] = useState(() => painter)
  useEffect(() => {
    if (!wanted || paint !== null) return
    let left = false
    void import('./paint').then((module) => {
      painter = module.paint
      if (!left) setPaint(() => module.paint)
    })
    return () => {
      left = true
    }
  }, [wanted, paint])
  return paint
}

export function CodeBlock({ code, language }: { code: string; language: string | null }) {
  const { t } = useLanguage()
  const [copied, copy] = useCopied()
  const paint = usePainter(language !== null)
  return (
    <div className={classes.code}>
      <div className={classes.codeHead}>
        <span>{language ?? ''}</span>
        <button type="button" className={classes.codeCopy} onClick={() => copy(code)}>
          {copied ? <IconCheck size={14} aria-hidden /> : <IconCopy size={14} aria-hidden />}
          {copied ? t.common.copied : t.chat.copyCode}
        </button>
      </div>
      {/* A long line scrolls inside, and a keyboard must be able to scroll it. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre tabIndex={0} aria-label={language ?? t.common.code} role="group">
        <code>{language !== null && paint !== null ? paint(code, language) : code}</code>
      </pre>
    </div>
  )
}
