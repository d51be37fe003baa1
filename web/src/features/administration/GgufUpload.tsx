import { Button, FileButton, Progress, Text } from '@mantine/core'
import { IconUpload } from '@tabler/icons-react'
import { useEffect, useRef, useState } from 'react'
import { Problem } from '@/api/client'
import { uploadModelFile } from '@/api/gateway'
import type { ModelFiles } from '@/api/types'
import { useLanguage, type Messages } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { useToasts } from '@/ui/toasts'
import classes from './gguf.module.css'

interface Running {
  name: string
  size: number
  sent: number
}

interface GgufUploadProps {
  files: ModelFiles
  onSending: (sending: boolean) => void
  onDone: () => void
}

/** Sends one file to the hub, and says how far it is; leaving the dialog stops it. */
export function GgufUpload({ files, onSending, onDone }: GgufUploadProps) {
  const { t, format } = useLanguage()
  const toasts = useToasts()
  const [running, setRunning] = useState<Running | null>(null)
  const [error, setError] = useState<unknown>(null)
  const abort = useRef<AbortController | null>(null)
  useEffect(() => () => abort.current?.abort(), [])

  const start = async (file: File | null) => {
    if (file === null) return
    const name = hubName(file.name)
    const control = new AbortController()
    abort.current = control
    setError(null)
    setRunning({ name, size: file.size, sent: 0 })
    onSending(true)
    try {
      await refuseInVain(file, files, t, format.size)
      await uploadModelFile(name, file, {
        signal: control.signal,
        onProgress: (sent) => setRunning({ name, size: file.size, sent }),
      })
      toasts.say(t.gguf.uploaded(name))
      onDone()
    } catch (failure) {
      if (!control.signal.aborted) setError(failure)
    } finally {
      setRunning(null)
      onSending(false)
    }
  }

  if (running !== null) {
    const share = running.size === 0 ? 0 : running.sent / running.size
    return (
      <div>
        <div className={classes.row}>
          <div className={classes.words} role="status">
            <Text size="sm">{t.gguf.uploading(running.name)}</Text>
            <Text size="xs" c="dimmed" className="tabular">
              {format.size(running.sent)} / {format.size(running.size)} · {format.percent(share)}
            </Text>
          </div>
          <Button size="compact-sm" variant="default" onClick={() => abort.current?.abort()}>
            {t.common.cancel}
          </Button>
        </div>
        <Progress value={share * 100} size="sm" aria-label={t.gguf.uploading(running.name)} />
      </div>
    )
  }
  return (
    <div>
      <FileButton accept=".gguf" onChange={(file) => void start(file)}>
        {(props) => (
          <Button {...props} variant="default" size="xs" leftSection={<IconUpload size={15} />}>
            {t.gguf.upload}
          </Button>
        )}
      </FileButton>
      <Text size="xs" c="dimmed" mt={4}>
        {t.gguf.limits(format.size(files.largest), format.size(files.room))}
      </Text>
      {error !== null && <ErrorPanel error={error} compact />}
    </div>
  )
}

/** The file's name as the hub accepts it: no accents, nothing hidden, not too long. */
function hubName(name: string): string {
  const stem = name
    .replace(/\.gguf$/i, '')
    .replace(/[^A-Za-z0-9 ._()+-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 120)
  return `${stem === '' ? 'model' : stem}.gguf`
}

/** Refuses here what the hub would refuse after gigabytes. */
async function refuseInVain(file: File, files: ModelFiles, t: Messages, size: (bytes: number) => string): Promise<void> {
  const refuse = (code: string, title: string) => new Problem({ status: 0, code, title })
  if ((await file.slice(0, 4).text()) !== 'GGUF') throw refuse('client.not_gguf', t.gguf.notGguf)
  if (file.size > files.largest) throw refuse('client.too_large', t.gguf.tooLarge(size(files.largest)))
  if (file.size > files.room) throw refuse('client.no_room', t.gguf.noRoom(size(files.room)))
}
