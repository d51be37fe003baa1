import { common, createLowlight } from 'lowlight'
import type { ReactNode } from 'react'

const lowlight = createLowlight(common)

interface Leaf {
  type: string
  value?: string
  properties?: Record<string, unknown>
  children?: Leaf[]
}

function draw(nodes: Leaf[]): ReactNode[] {
  return nodes.map((node, index) => {
    if (node.type === 'text') return node.value
    const names = node.properties?.['className']
    return (
      <span key={index} className={Array.isArray(names) ? names.join(' ') : ''}>
        {draw(node.children ?? [])}
      </span>
    )
  })
}

/** Code as coloured elements; an unknown language stays plain text. */
export function paint(code: string, language: string): ReactNode {
  const name = language.toLowerCase()
  if (!lowlight.registered(name)) return code
  return draw(lowlight.highlight(name, code).children)
}
