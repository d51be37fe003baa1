import { ActionIcon, Tooltip } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useLanguage } from '@/i18n'
import { useCopied } from './useCopied'

export function CopyAction({ text, label, size = 28 }: { text: string; label: string; size?: number }) {
  const { t } = useLanguage()
  const [copied, copy] = useCopied()
  return (
    <Tooltip label={copied ? t.common.copied : label}>
      <ActionIcon size={size} aria-label={label} onClick={() => copy(text)}>
        {copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
      </ActionIcon>
    </Tooltip>
  )
}
