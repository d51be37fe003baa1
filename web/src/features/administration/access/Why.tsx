import { Select, Skeleton, Stack, Text, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { IconCheck, IconInfoCircle, IconX } from '@tabler/icons-react'
import { useState } from 'react'
import { explainAccess, permissionsQuery, rolesQuery, type Explanation } from '@/api/access'
import type { User } from '@/api/types'
import { useLanguage } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Status } from '@/ui/Status'
import classes from './access.module.css'
import { permissionWord, reasonWords, roleWord } from './words'

/** Why somebody may do something, or may not. */
export function Why({ user }: { user: User }) {
  const { t } = useLanguage()
  const all = useQuery(permissionsQuery)
  const [permission, setPermission] = useState<string | null>(null)
  const [resource, setResource] = useState('')
  const [thing] = useDebouncedValue(resource.trim(), 300)
  const answer = useQuery({
    queryKey: ['user-access', user.id, permission, thing],
    queryFn: ({ signal }) => explainAccess(user.id, permission ?? '', thing, signal),
    enabled: permission !== null,
    staleTime: 0,
  })
  const modules = [...new Set((all.data?.items ?? []).map(({ module }) => module))]
  return (
    <Stack gap="md">
      <Select
        label={t.access.whyPermission}
        description={t.access.whyPermissionHint}
        searchable
        maxDropdownHeight={280}
        data={modules.map((module) => ({
          group: t.modules[module] ?? module,
          items: (all.data?.items ?? [])
            .filter((one) => one.module === module)
            .map(({ name, title }) => ({ value: name, label: permissionWord(t, name, title) })),
        }))}
        value={permission}
        onChange={setPermission}
      />
      <TextInput
        label={t.access.whyResource}
        description={t.access.whyResourceHint}
        autoComplete="off"
        spellCheck={false}
        maxLength={200}
        value={resource}
        onChange={(event) => setResource(event.currentTarget.value)}
      />
      <div aria-live="polite">
        {answer.isError && <ErrorPanel error={answer.error} compact onRetry={() => void answer.refetch()} />}
        {answer.isLoading && <Skeleton height={88} radius="md" />}
        {answer.data !== undefined && permission !== null && (
          <Answer explanation={answer.data} name={user.name || user.email} />
        )}
      </div>
    </Stack>
  )
}

function Answer({ explanation, name }: { explanation: Explanation; name: string }) {
  const { t, format } = useLanguage()
  const roles = useQuery(rolesQuery)
  const word = (name: string) => roleWord(t, name, roles.data?.items.find((role) => role.name === name)?.title)
  return (
    <div className={classes.answer}>
      <Text component="div" fw={600}>
        <Status tone={explanation.allowed ? 'ok' : 'bad'}>
          {explanation.allowed ? t.access.allowed(name) : t.access.denied(name)}
        </Status>
      </Text>
      <ul className={classes.reasons}>
        {explanation.reasons.map((reason, index) => (
          <li key={index}>
            {reason.speaks === true ? (
              <IconCheck size={15} className={classes.for} aria-hidden />
            ) : reason.speaks === false ? (
              <IconX size={15} className={classes.against} aria-hidden />
            ) : (
              <IconInfoCircle size={15} className={classes.neither} aria-hidden />
            )}
            <Text size="sm">{reasonWords(t, format, word, reason)}</Text>
          </li>
        ))}
      </ul>
    </div>
  )
}
