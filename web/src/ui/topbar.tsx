import { createContext, use, type ReactNode } from 'react'
import { createPortal } from 'react-dom'

/** The part of the top bar that belongs to the page on show. */
export const TopBarContext = createContext<HTMLElement | null>(null)

export function TopBar({ children }: { children: ReactNode }) {
  const bar = use(TopBarContext)
  return bar === null ? null : createPortal(children, bar)
}
