import { useElementSize } from '@mantine/hooks'
import { useState, type ReactNode } from 'react'
import classes from './BarChart.module.css'

export interface Bar {
  key: string
  /** What stands below the axis and in the reading. */
  label: string
  value: number
  /** The value in words, with its unit. */
  reading: string
}

export interface BarChartProps {
  title: string
  bars: Bar[]
  /** Beside the title: what is measured. */
  action?: ReactNode
  /** Writes a value on the axis. */
  axis: (value: number) => string
}

const HEIGHT = 180
const LEFT = 44
const BOTTOM = 22
const TOP = 8

/** A round number at or above the highest bar, so that the axis is readable. */
function ceiling(highest: number): number {
  if (highest <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(highest))
  return ([1, 2, 2.5, 5, 10].find((step) => step * power >= highest) ?? 10) * power
}

/** Bars over time from zero. The value under the pointer, or reached by the arrow keys, is read out above them. */
export function BarChart({ title, bars, axis, action }: BarChartProps) {
  const { ref, width } = useElementSize<HTMLDivElement>()
  const [at, setAt] = useState<number | null>(null)
  const top = ceiling(Math.max(...bars.map(({ value }) => value), 0))
  const inner = Math.max(width - LEFT, 0)
  const step = bars.length === 0 ? 0 : inner / bars.length
  const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)
  const every = Math.max(1, Math.ceil(bars.length / Math.max(2, Math.floor(inner / 72))))
  const shown = at === null ? undefined : bars[at]

  return (
    <figure className={classes.figure}>
      <figcaption className={classes.caption}>
        <span>{title}</span>
        {action}
      </figcaption>
      <div className={classes.reading} aria-live="polite">
        {shown ? `${shown.label}: ${shown.reading}` : ''}
      </div>
      <div ref={ref} className={classes.plot}>
        {width > 0 && (
          <svg
            width={width}
            height={HEIGHT}
            role="slider"
            aria-label={title}
            aria-valuemin={0}
            aria-valuemax={Math.max(bars.length - 1, 0)}
            aria-valuenow={at ?? bars.length - 1}
            aria-valuetext={shown ? `${shown.label}: ${shown.reading}` : title}
            tabIndex={0}
            onKeyDown={(event) => {
              const from = at ?? bars.length
              if (event.key === 'ArrowLeft') setAt(Math.max(0, from - 1))
              else if (event.key === 'ArrowRight') setAt(Math.min(bars.length - 1, from + 1))
              else return
              event.preventDefault()
            }}
            onBlur={() => setAt(null)}
            onPointerLeave={() => setAt(null)}
            onPointerMove={(event) => {
              const x = event.clientX - event.currentTarget.getBoundingClientRect().left - LEFT
              setAt(x < 0 ? null : Math.min(bars.length - 1, Math.floor(x / step)))
            }}
          >
            {[0, top / 2, top].map((value) => (
              <g key={value}>
                <line x1={LEFT} x2={width} y1={y(value)} y2={y(value)} className={classes.grid} />
                <text x={LEFT - 8} y={y(value) + 4} textAnchor="end" className={classes.tick}>
                  {axis(value)}
                </text>
              </g>
            ))}
            {bars.map((bar, index) => (
              <g key={bar.key}>
                {index === at && (
                  <rect x={LEFT + index * step} y={TOP} width={step} height={HEIGHT - TOP - BOTTOM} className={classes.band} />
                )}
                <rect
                  x={LEFT + index * step + Math.min(step * 0.15, 3)}
                  width={Math.max(step - 2 * Math.min(step * 0.15, 3), 1)}
                  y={y(bar.value)}
                  height={HEIGHT - BOTTOM - y(bar.value)}
                  rx={Math.min(2, step / 4)}
                  className={classes.bar}
                />
                {(bars.length - 1 - index) % every === 0 && index * step + step / 2 > 16 && (
                  <text
                    x={Math.min(LEFT + index * step + step / 2, width - 20)}
                    y={HEIGHT - 5}
                    textAnchor="middle"
                    className={classes.tick}
                  >
                    {bar.label}
                  </text>
                )}
              </g>
            ))}
          </svg>
        )}
      </div>
    </figure>
  )
}
