import { ActionIcon } from '@mantine/core'
import { IconChevronLeft, IconChevronRight } from '@tabler/icons-react'
import type { Message } from '@/api/types'
import { useLanguage } from '@/i18n'
import classes from './messages.module.css'

/** ‹ 2 / 3 › between the versions of one message. */
export function BranchWalker({ message, versions, onWalk }: { message: Message; versions: Message[]; onWalk: (to: Message) => void }) {
  const { t } = useLanguage()
  if (versions.length < 2) return null
  const at = versions.findIndex(({ id }) => id === message.id)
  const before = versions[at - 1]
  const after = versions[at + 1]
  return (
    <span className={classes.walker} role="group" aria-label={t.chat.branchLabel(at + 1, versions.length)}>
      <ActionIcon
        size={26}
        aria-label={t.chat.previousBranch}
        disabled={!before}
        onClick={() => {
          if (before) onWalk(before)
        }}
      >
        <IconChevronLeft size={15} />
      </ActionIcon>
      <span className="tabular">{t.chat.branch(at + 1, versions.length)}</span>
      <ActionIcon
        size={26}
        aria-label={t.chat.nextBranch}
        disabled={!after}
        onClick={() => {
          if (after) onWalk(after)
        }}
      >
        <IconChevronRight size={15} />
      </ActionIcon>
    </span>
  )
}
