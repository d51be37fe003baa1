import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useLanguage } from '@/i18n'
import { CodeBlock } from '@/ui/markdown/CodeBlock'
import { useCopied } from '@/ui/useCopied'
import classes from './account.module.css'

/** The only time the secret can be seen. */
export function ShownOnce({ secret, onClose }: { secret: string; onClose: () => void }) {
  const { t } = useLanguage()
  const [copied, copy] = useCopied()
  const example = `from openai import OpenAI

client = OpenAI(
    base_url="${window.location.origin}/v1",
    api_key="${secret.slice(0, 8)}…",
)`
  return (
    <Modal
      opened
      onClose={onClose}
      title={t.keys.onceTitle}
      size={520}
      closeOnClickOutside={false}
      closeButtonProps={{ 'aria-label': t.common.close }}
    >
      <Stack gap="md">
        <Text c="dimmed">{t.keys.onceText}</Text>
        <Group gap="xs" wrap="nowrap">
          <TextInput
            className={classes.secret ?? ''}
            aria-label={t.keys.key}
            readOnly
            value={secret}
            data-autofocus
            onFocus={(event) => event.currentTarget.select()}
          />
          <Button
            variant="default"
            leftSection={copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
            onClick={() => copy(secret)}
          >
            {copied ? t.common.copied : t.common.copy}
          </Button>
        </Group>
        <div>
          <Text size="sm" fw={500} mb={6}>
            {t.keys.howTo}
          </Text>
          <CodeBlock code={example} language="python" />
        </div>
        <Group justify="flex-end">
          <Button onClick={onClose}>{t.keys.onceDone}</Button>
        </Group>
      </Stack>
    </Modal>
  )
}
