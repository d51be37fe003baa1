import { useQuery } from '@tanstack/react-query'
import { readStatistics } from '@/api/people'
import { useLanguage } from '@/i18n'
import classes from './people.module.css'
import { usePeopleWords } from './words'

const SHOWN = ['people', 'active', 'second_factor', 'never_signed_in', 'seen_lately', 'invited'] as const

/** How many people of each kind there are. */
export function PeopleFigures() {
  const { format } = useLanguage()
  const w = usePeopleWords()
  const counted = useQuery({
    queryKey: ['users', 'statistics'],
    queryFn: ({ signal }) => readStatistics(signal),
  })
  return (
    <dl className={classes.figures} aria-label={w.people.statistics} aria-busy={counted.isPending}>
      {SHOWN.map((name) => (
        <div key={name} className={classes.figure}>
          <dt>{w.people.figures[name]}</dt>
          <dd>{counted.data === undefined ? '–' : format.number(counted.data[name])}</dd>
        </div>
      ))}
    </dl>
  )
}
