import { ActionIcon, Button, Code, Modal, Stack, Text, Tooltip } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconTrash } from '@tabler/icons-react'
import { useState } from 'react'
import { chooseModelFile, deleteModelFile, listModelFiles } from '@/api/gateway'
import { embeddedQuery } from '@/api/queries'
import type { ModelFiles } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ConfirmByTyping } from '@/ui/ConfirmByTyping'
import { CopyAction } from '@/ui/CopyAction'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Status } from '@/ui/Status'
import { EmbeddedStatus } from './EmbeddedStatus'
import { GgufUpload } from './GgufUpload'
import classes from './gguf.module.css'

const filesKey = ['embedded', 'files']
const LOOK_MS = 3_000

/** Which model this machine runs: a GGUF file of one's own, or the one that comes with the hub. */
export function GgufDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLanguage()
  const client = useQueryClient()
  const [doomed, setDoomed] = useState<string | null>(null)
  // Gigabytes on their way are not lost to a click beside the dialog.
  const [sending, setSending] = useState(false)
  // Looked at again and again: a file that is put into the folder by hand appears by itself.
  const files = useQuery({
    queryKey: filesKey,
    queryFn: ({ signal }) => listModelFiles(signal),
    refetchInterval: LOOK_MS,
    staleTime: 0,
  })
  const embedded = useQuery(embeddedQuery)
  const refresh = () =>
    Promise.all([
      client.invalidateQueries({ queryKey: filesKey }),
      client.invalidateQueries({ queryKey: ['models'] }),
    ])
  const choose = useMutation({
    mutationFn: chooseModelFile,
    onSuccess: (state) => client.setQueryData(embeddedQuery.queryKey, state),
    onSettled: refresh,
  })
  const remove = useMutation({
    mutationFn: deleteModelFile,
    onSuccess: () => setDoomed(null),
    onSettled: refresh,
  })

  if (doomed !== null) {
    return (
      <ConfirmByTyping
        title={t.models.deleteProviderTitle(doomed)}
        text={t.gguf.deleteText}
        word={doomed}
        ask={t.models.deleteConfirm(doomed)}
        action={t.models.delete}
        busy={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate(doomed)}
        onClose={() => setDoomed(null)}
      />
    )
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={t.gguf.title}
      size={560}
      closeOnClickOutside={!sending}
      closeOnEscape={!sending}
      closeButtonProps={{ 'aria-label': t.common.close }}
    >
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          {t.gguf.lead}
        </Text>
        {files.data?.operator_file != null && (
          <Text size="sm" role="note">
            {t.gguf.byOperator(files.data.operator_file)}
          </Text>
        )}
        {files.isError && files.data === undefined && (
          <ErrorPanel error={files.error} onRetry={() => void files.refetch()} compact />
        )}
        {embedded.data && (
          <div className={classes.state}>
            <EmbeddedStatus state={embedded.data} named />
          </div>
        )}
        {files.data && (
          <FileList
            files={files.data}
            choosing={choose.isPending ? choose.variables : undefined}
            onChoose={(file) => choose.mutate(file)}
            onDelete={sending ? null : setDoomed}
          />
        )}
        {choose.isError && <ErrorPanel error={choose.error} compact />}
        {files.data && <GgufUpload files={files.data} onSending={setSending} onDone={() => void refresh()} />}
        {files.data && (
          <div>
            <Text size="sm">{t.gguf.folder}</Text>
            <div className={classes.folder}>
              <Code className={classes.path}>{files.data.folder}</Code>
              <CopyAction text={files.data.folder} label={t.gguf.copyFolder} />
            </div>
          </div>
        )}
      </Stack>
    </Modal>
  )
}

interface FileListProps {
  files: ModelFiles
  /** What was just chosen: a file, or null for the demonstration model. */
  choosing: string | null | undefined
  onChoose: (file: string | null) => void
  /** Null: not now. */
  onDelete: ((file: string) => void) | null
}

function FileList({ files, choosing, onChoose, onDelete }: FileListProps) {
  const { t, format } = useLanguage()
  const fixed = files.operator_file !== null
  const choice = (file: string | null, chosen: boolean, valid: boolean) =>
    chosen && !fixed ? (
      <Status tone="info">{t.gguf.chosen}</Status>
    ) : (
      <Button
        size="compact-sm"
        variant="default"
        disabled={fixed || !valid || choosing !== undefined}
        loading={choosing === file}
        aria-label={t.gguf.useNamed(file ?? t.gguf.demonstration)}
        onClick={() => onChoose(file)}
      >
        {t.gguf.use}
      </Button>
    )
  return (
    <ul className={classes.list} aria-label={t.gguf.files}>
      <li className={classes.row}>
        <div className={classes.words}>
          <Text size="sm" fw={500}>
            {t.gguf.demonstration}
          </Text>
          <Text size="xs" c="dimmed">
            {t.models.embeddedHint}
          </Text>
        </div>
        {choice(null, files.demonstration_chosen, true)}
      </li>
      {files.items.map((file) => (
        <li key={file.name} className={classes.row}>
          <div className={classes.words}>
            <Text size="sm" fw={500}>
              {file.name}
            </Text>
            <Text size="xs" c="dimmed">
              {file.valid ? format.size(file.size) : t.gguf.invalid}
            </Text>
          </div>
          {choice(file.name, file.chosen, file.valid)}
          {!file.chosen && onDelete !== null && (
            <Tooltip label={t.models.delete}>
              <ActionIcon size={28} aria-label={`${t.models.delete}: ${file.name}`} onClick={() => onDelete(file.name)}>
                <IconTrash size={16} />
              </ActionIcon>
            </Tooltip>
          )}
        </li>
      ))}
    </ul>
  )
}
