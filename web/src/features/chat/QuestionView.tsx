import { ActionIcon, Button, Group, Textarea, Tooltip } from '@mantine/core'
import { IconFileText, IconPencil } from '@tabler/icons-react'
import { useState } from 'react'
import type { Message } from '@/api/types'
import { useLanguage } from '@/i18n'
import { CopyAction } from '@/ui/CopyAction'
import { BranchWalker } from './BranchWalker'
import chatClasses from './chat.module.css'
import classes from './messages.module.css'

/** From here on a question would push its answer off the page, and is shown in part at first. */
const LONG_CHARACTERS = 2_000
const LONG_LINES = 24

export interface QuestionViewProps {
  message: Message
  versions: Message[]
  busy: boolean
  onWalk: (to: Message) => void
  onEdit: (text: string) => void
}

export function QuestionView({ message, versions, busy, onWalk, onEdit }: QuestionViewProps) {
  const { t, format } = useLanguage()
  const [edited, setEdited] = useState<string | null>(null)
  const [whole, setWhole] = useState(false)
  const long = message.text.length > LONG_CHARACTERS || message.text.split('\n').length > LONG_LINES
  const ready = edited !== null && edited.trim() !== '' && !busy
  const submit = () => {
    if (!ready) return
    onEdit(edited.trim())
    setEdited(null)
  }

  return (
    <article className={classes.mine} aria-label={t.chat.you}>
      {message.attachments.length > 0 && (
        <ul className={`${chatClasses.attachments ?? ''} ${classes.asked ?? ''}`}>
          {message.attachments.map((file) => (
            <li key={file.name} className={chatClasses.attachment}>
              <IconFileText size={15} aria-hidden />
              <span>{file.name}</span>
              <span className={chatClasses.faint}>{format.size(file.size)}</span>
            </li>
          ))}
        </ul>
      )}
      {edited === null ? (
        <>
          <div className={`${classes.bubble ?? ''} ${long && !whole ? (classes.clipped ?? '') : ''}`} dir="auto">
            {message.text}
          </div>
          {long && (
            <Button size="compact-xs" variant="subtle" color="gray" aria-expanded={whole} onClick={() => setWhole(!whole)}>
              {whole ? t.chat.showLess : t.chat.showAll}
            </Button>
          )}
          <div className={classes.acts}>
            <span className={classes.quiet}>
              <CopyAction text={message.text} label={t.chat.copyMessage} />
              <Tooltip label={t.chat.editMessage}>
                <ActionIcon
                  size={28}
                  aria-label={t.chat.editMessage}
                  disabled={busy}
                  onClick={() => setEdited(message.text)}
                >
                  <IconPencil size={16} />
                </ActionIcon>
              </Tooltip>
            </span>
            <BranchWalker message={message} versions={versions} onWalk={onWalk} />
          </div>
        </>
      ) : (
        <form
          className={classes.edit}
          onSubmit={(event) => {
            event.preventDefault()
            submit()
          }}
        >
          <Textarea
            aria-label={t.chat.editing}
            dir="auto"
            autosize
            minRows={2}
            maxRows={14}
            autoFocus
            value={edited}
            onChange={(event) => setEdited(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === 'Escape') setEdited(null)
              if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
                event.preventDefault()
                submit()
              }
            }}
          />
          <Group gap="xs" justify="flex-end">
            <Button size="xs" variant="default" onClick={() => setEdited(null)}>
              {t.common.cancel}
            </Button>
            <Button size="xs" type="submit" disabled={!ready}>
              {t.chat.editSave}
            </Button>
          </Group>
        </form>
      )}
    </article>
  )
}
