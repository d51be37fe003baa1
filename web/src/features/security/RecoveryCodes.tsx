import { Button, Group, SimpleGrid, Stack, Text } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useLanguage } from '@/i18n'
import { useCopied } from '@/ui/useCopied'
import classes from './security.module.css'

/** The only time the codes can be seen. */
export function RecoveryCodes({ codes, onKept }: { codes: string[]; onKept: () => void }) {
  const { t } = useLanguage()
  const [copied, copy] = useCopied()
  return (
    <Stack gap="md">
      <Text c="dimmed">{t.security.codesText}</Text>
      <SimpleGrid component="ul" cols={2} spacing={4} className={classes.codes ?? ''} aria-label={t.security.recovery}>
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </SimpleGrid>
      <Group justify="space-between" gap="xs">
        <Button
          variant="default"
          leftSection={copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
          onClick={() => copy(codes.join('\n'))}
        >
          {copied ? t.common.copied : t.common.copy}
        </Button>
        <Button onClick={onKept}>{t.security.codesKept}</Button>
      </Group>
    </Stack>
  )
}
