import { ActionIcon, Textarea, Tooltip } from '@mantine/core'
import { IconArrowUp, IconFileText, IconPaperclip, IconPlayerStopFilled, IconX } from '@tabler/icons-react'
import { useRef, useState } from 'react'
import type { Model } from '@/api/types'
import { useLanguage } from '@/i18n'
import { useSession } from '@/ui/session'
import { readAttachments, type Attachment } from './attachments'
import chatClasses from './chat.module.css'
import classes from './composer.module.css'
import { keepDraft, readDraft } from './drafts'
import { ModelPicker } from './ModelPicker'
import { SystemPrompt } from './SystemPrompt'
import { useDroppedFiles } from '@/ui/useDroppedFiles'

export interface ComposerProps {
  /** The conversation's id, or the place of the new one: drafts are kept by it. */
  place: string
  /** Files of a question that did not get through. */
  unsent: Attachment[]
  models: Model[]
  model: string | null
  onModel: (name: string) => void
  systemPrompt: string
  onSystemPrompt: (prompt: string) => void
  running: boolean
  sending: boolean
  stopping: boolean
  onSend: (text: string, attachments: Attachment[]) => void
  onStop: () => void
}

/** On a phone a focused box opens the keyboard over the page, so only a wide screen starts in it. */
const startsFocused = window.matchMedia('(min-width: 48em)').matches

export function Composer(props: ComposerProps) {
  const { place, running, sending, stopping } = props
  const { t, format } = useLanguage()
  const { user } = useSession()
  const [text, setText] = useState(() => readDraft(user.id, place))
  const [files, setFiles] = useState<Attachment[]>(props.unsent)
  const [refusal, setRefusal] = useState<string | null>(null)
  const picker = useRef<HTMLInputElement>(null)
  const box = useRef<HTMLTextAreaElement>(null)
  const ready = text.trim() !== '' && !running && !sending

  const write = (next: string) => {
    setText(next)
    keepDraft(user.id, place, next)
  }
  const attach = async (list: FileList | null) => {
    if (list === null || list.length === 0) return
    const read = await readAttachments([...list], files)
    if (Array.isArray(read)) {
      setRefusal(null)
      setFiles((before) => [...before, ...read])
      box.current?.focus()
    } else {
      setRefusal(read.why === 'too-large' ? t.chat.attachTooLarge : t.chat.attachNotText(read.name))
    }
  }
  const dragging = useDroppedFiles((list) => void attach(list))
  const submit = () => {
    if (!ready) return
    props.onSend(text.trim(), files)
    setText('')
    setFiles([])
    setRefusal(null)
  }

  return (
    <form
      className={classes.composer}
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      {dragging && <div className={classes.drop}>{t.chat.dropHere}</div>}
      {files.length > 0 && (
        <ul className={chatClasses.attachments}>
          {files.map((file, index) => (
            <li key={`${index}:${file.name}`} className={chatClasses.attachment}>
              <IconFileText size={15} aria-hidden />
              <span>{file.name}</span>
              <span className={chatClasses.faint}>{format.size(file.size)}</span>
              <ActionIcon
                size={20}
                aria-label={t.chat.removeAttachment(file.name)}
                onClick={() => setFiles((before) => before.filter((_, at) => at !== index))}
              >
                <IconX size={13} />
              </ActionIcon>
            </li>
          ))}
        </ul>
      )}
      {refusal !== null && (
        <div role="alert" className={classes.refusal}>
          {refusal}
        </div>
      )}
      <Textarea
        ref={box}
        variant="unstyled"
        aria-label={t.chat.message}
        dir="auto"
        placeholder={t.chat.placeholder}
        autosize
        minRows={1}
        maxRows={12}
        autoFocus={startsFocused}
        classNames={{ input: classes.box ?? '' }}
        value={text}
        onChange={(event) => write(event.currentTarget.value)}
        onPaste={(event) => {
          if (event.clipboardData.files.length > 0) {
            event.preventDefault()
            void attach(event.clipboardData.files)
          }
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
            event.preventDefault()
            submit()
          }
        }}
      />
      <div className={classes.tools}>
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          onChange={(event) => {
            void attach(event.currentTarget.files)
            event.currentTarget.value = ''
          }}
        />
        <Tooltip label={t.chat.attach}>
          <ActionIcon aria-label={t.chat.attach} onClick={() => picker.current?.click()}>
            <IconPaperclip size={17} />
          </ActionIcon>
        </Tooltip>
        <ModelPicker models={props.models} value={props.model} onChange={props.onModel} />
        <SystemPrompt value={props.systemPrompt} onChange={props.onSystemPrompt} />
        <span className={classes.grow} />
        {running ? (
          <Tooltip label={t.chat.stop}>
            <ActionIcon
              variant="filled"
              color="accent"
              radius="50%"
              size={34}
              aria-label={t.chat.stop}
              disabled={stopping}
              onClick={props.onStop}
            >
              <IconPlayerStopFilled size={15} />
            </ActionIcon>
          </Tooltip>
        ) : (
          <Tooltip label={t.chat.hintSend}>
            <ActionIcon
              type="submit"
              variant="filled"
              color="accent"
              radius="50%"
              size={34}
              aria-label={t.chat.send}
              disabled={!ready}
              loading={sending}
            >
              <IconArrowUp size={18} stroke={2.2} />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
    </form>
  )
}
