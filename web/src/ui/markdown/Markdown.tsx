/** Text from a model: Markdown without raw HTML and without anything fetched from elsewhere. */
import { IconExternalLink, IconPhoto } from '@tabler/icons-react'
import { isValidElement, memo, type ReactNode } from 'react'
import ReactMarkdown, { type Components } from 'react-markdown'
import remarkGfm from 'remark-gfm'
import { useLanguage } from '@/i18n'
import { CodeBlock } from './CodeBlock'
import classes from './Markdown.module.css'

function textOf(node: ReactNode): string {
  if (typeof node === 'string' || typeof node === 'number') return String(node)
  if (Array.isArray(node)) return node.map(textOf).join('')
  if (isValidElement<{ children?: ReactNode }>(node)) return textOf(node.props.children)
  return ''
}

/** An image is named, never loaded: loading it would tell its host who reads what. */
function ImageLink({ src, alt }: { src: string | undefined; alt: string }) {
  const { t } = useLanguage()
  const label = (
    <>
      <IconPhoto size={14} aria-hidden />
      {t.chat.imageLink(alt)}
    </>
  )
  return src === undefined || src === '' ? (
    <span className={classes.chip}>{label}</span>
  ) : (
    <a className={classes.chip} href={src} target="_blank" rel="noopener noreferrer">
      {label}
      <IconExternalLink size={12} aria-hidden />
    </a>
  )
}

/** A wide table scrolls inside, and a keyboard must be able to scroll it. */
function WideTable({ dir, children }: { dir: string | undefined; children: ReactNode }) {
  const { t } = useLanguage()
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={classes.table} role="group" aria-label={t.chat.table} tabIndex={0}>
      <table dir={dir}>{children}</table>
    </div>
  )
}

const components: Components = {
  a: ({ href, children }) =>
    href === undefined || href === '' ? (
      <span>{children}</span>
    ) : (
      <a href={href} target="_blank" rel="noopener noreferrer">
        {children}
      </a>
    ),
  img: ({ src, alt }) => <ImageLink src={typeof src === 'string' ? src : undefined} alt={alt ?? ''} />,
  pre: ({ children }) => {
    const code = isValidElement<{ className?: string; children?: ReactNode }>(children) ? children.props : null
    const language = /language-([\w+#-]+)/.exec(code?.className ?? '')?.[1] ?? null
    return <CodeBlock code={textOf(code?.children ?? children).replace(/\n$/, '')} language={language} />
  },
  table: ({ children, dir }) => <WideTable dir={dir}>{children}</WideTable>,
}

interface Leaf {
  type: string
  tagName?: string
  properties?: Record<string, unknown>
  children?: Leaf[]
}

const BLOCKS = new Set(['p', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'ul', 'ol', 'table'])

/** Each block runs the way its own words run: Arabic from the right, also below an English question. */
function directions() {
  const turn = (node: Leaf) => {
    for (const child of node.children ?? []) {
      const block = child.tagName !== undefined && BLOCKS.has(child.tagName)
      if (block) child.properties = { ...child.properties, dir: 'auto' }
      // What lies in a list or a table goes with it.
      if (!block) turn(child)
    }
  }
  return turn
}

const plugins = [remarkGfm]
const rehypePlugins = [directions]

export const Markdown = memo(function Markdown({ text }: { text: string }) {
  return (
    <div className={classes.markdown}>
      <ReactMarkdown remarkPlugins={plugins} rehypePlugins={rehypePlugins} components={components}>
        {text}
      </ReactMarkdown>
    </div>
  )
})
