import { Button, Stack } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { IconLogin2 } from '@tabler/icons-react'
import { choicesQuery, departTo } from '@/api/federation'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { SignInFailure } from '@/ui/SignInFailure'

/** One button for each provider that people may sign in with; nothing where there are none. */
export function ProviderButtons({ next, problem }: { next: string; problem: string | null }) {
  const { t } = useLanguage()
  const choices = useQuery(choicesQuery)
  const leaving = useMutation({ mutationFn: (handle: string) => departTo(handle, next) })
  // The page is being left: the button goes on saying so until it is gone.
  const away = leaving.isPending || leaving.isSuccess
  if ((choices.data ?? []).length === 0 && problem === null) return null
  return (
    <Stack gap="sm" mt="sm">
      {problem !== null && !away && !leaving.isError && <SignInFailure code={problem} />}
      {choices.data?.map(({ handle, name }) => (
        <Button
          key={handle}
          variant="default"
          size="md"
          fullWidth
          leftSection={<IconLogin2 size={18} />}
          loading={away && leaving.variables === handle}
          disabled={away && leaving.variables !== handle}
          onClick={() => leaving.mutate(handle)}
        >
          {t.federation.signInWith(name)}
        </Button>
      ))}
      {leaving.isError && <ErrorPanel error={leaving.error} compact />}
    </Stack>
  )
}
