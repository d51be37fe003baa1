import { Button, Group, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconLink, IconPlus } from '@tabler/icons-react'
import { useEffect, useRef, useState } from 'react'
import { useSearchParams } from 'react-router'
import { choicesQuery, departToLink, linksQuery, unlink, type LinkedSignIn } from '@/api/federation'
import { useLanguage } from '@/i18n'
import { DataTable, type Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { FormDialog } from '@/ui/FormDialog'
import { Section } from '@/ui/Page'
import { SignInFailure } from '@/ui/SignInFailure'
import { useToasts } from '@/ui/toasts'

/** Accounts at providers that sign in to this one; nothing where the hub has no providers. */
export function LinksSection() {
  const { t, format } = useLanguage()
  const toasts = useToasts()
  const client = useQueryClient()
  const [search, setSearch] = useSearchParams()
  const [going, setGoing] = useState<LinkedSignIn | null>(null)
  const choices = useQuery(choicesQuery)
  const links = useQuery(linksQuery)
  const leaving = useMutation({ mutationFn: departToLink })
  const removing = useMutation({
    mutationFn: ({ id }: LinkedSignIn) => unlink(id),
    onSuccess: (_, { provider }) => {
      setGoing(null)
      toasts.say(t.federation.unlinked(provider))
      return client.invalidateQueries({ queryKey: linksQuery.queryKey })
    },
  })
  const problem = search.get('problem')
  const linked = search.get('linked')
  const told = useRef(false)
  useEffect(() => {
    if (linked === null || told.current) return
    told.current = true
    toasts.say(t.federation.linked(linked))
    setSearch({}, { replace: true })
  }, [linked, setSearch, t, toasts])

  const columns: Column<LinkedSignIn>[] = [
    { key: 'provider', header: t.federation.provider, cell: (link) => <Text size="sm" fw={500}>{link.provider}</Text> },
    { key: 'account', header: t.federation.account, cell: (link) => link.email ?? '' },
    { key: 'linked', header: t.federation.linkedAt, wide: true, cell: (link) => format.date(link.created_at) },
    {
      key: 'used',
      header: t.federation.lastUsed,
      wide: true,
      cell: (link) => (link.last_used_at === null ? t.common.never : format.ago(link.last_used_at)),
    },
    {
      key: 'actions',
      header: t.common.actions,
      quiet: true,
      numeric: true,
      cell: (link) => (
        <Button
          size="xs"
          variant="default"
          aria-label={`${t.federation.unlink}: ${link.provider}`}
          onClick={() => setGoing(link)}
        >
          {t.federation.unlink}
        </Button>
      ),
    },
  ]
  if ((choices.data ?? []).length === 0 && (links.data?.items ?? []).length === 0 && problem === null) return null
  return (
    <Section
      title={t.federation.links}
      action={
        <Group gap="xs">
          {choices.data?.map(({ handle, name }) => (
            <Button
              key={handle}
              size="xs"
              leftSection={<IconPlus size={15} />}
              loading={leaving.variables === handle && (leaving.isPending || leaving.isSuccess)}
              onClick={() => leaving.mutate(handle)}
            >
              {t.federation.link(name)}
            </Button>
          ))}
        </Group>
      }
    >
      <Text size="sm" c="dimmed" mb="sm">
        {t.federation.linksText}
      </Text>
      {problem !== null && !leaving.isPending && <SignInFailure code={problem} />}
      {leaving.isError && <ErrorPanel error={leaving.error} compact />}
      {links.isError ? (
        <ErrorPanel error={links.error} onRetry={() => void links.refetch()} />
      ) : (
        <DataTable
          label={t.federation.links}
          columns={columns}
          rows={links.data?.items}
          rowKey={({ id }) => id}
          empty={
            <EmptyState icon={<IconLink size={20} />} title={t.federation.noLinks} text={t.federation.noLinksText} />
          }
        />
      )}
      {going !== null && (
        <FormDialog
          title={t.federation.unlinkTitle(going.provider)}
          action={t.federation.unlink}
          busy={removing.isPending}
          error={removing.error}
          onSubmit={() => removing.mutate(going)}
          onClose={() => {
            setGoing(null)
            removing.reset()
          }}
        >
          <Text c="dimmed">{t.federation.unlinkText}</Text>
        </FormDialog>
      )}
    </Section>
  )
}
