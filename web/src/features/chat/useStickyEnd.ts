import { useCallback, useEffect, useRef, useState } from 'react'

const NEAR_PX = 64

/** Keeps the end in view while text grows, unless the reader scrolled up. Starts at the end of each conversation. */
export function useStickyEnd(place: string | null) {
  const scroller = useRef<HTMLDivElement>(null)
  const content = useRef<HTMLDivElement>(null)
  const stuck = useRef(true)
  const [atEnd, setAtEnd] = useState(true)

  const goToEnd = useCallback(() => {
    stuck.current = true
    setAtEnd(true)
    const box = scroller.current
    if (box) box.scrollTop = box.scrollHeight
  }, [])

  useEffect(() => {
    const box = scroller.current
    const inner = content.current
    if (!box || !inner) return
    goToEnd()
    const onScroll = () => {
      const near = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX
      stuck.current = near
      setAtEnd(near)
    }
    const grown = new ResizeObserver(() => {
      if (stuck.current) box.scrollTop = box.scrollHeight
    })
    grown.observe(inner)
    grown.observe(box)
    box.addEventListener('scroll', onScroll, { passive: true })
    return () => {
      grown.disconnect()
      box.removeEventListener('scroll', onScroll)
    }
  }, [place, goToEnd])

  return { scroller, content, atEnd, goToEnd }
}
