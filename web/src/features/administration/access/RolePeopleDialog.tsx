import { Button, Modal, Skeleton, Stack, Text } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { IconUsers } from '@tabler/icons-react'
import { listRolePeople, type Role } from '@/api/access'
import { pagesQuery } from '@/api/pages'
import { useLanguage } from '@/i18n'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import classes from './access.module.css'
import { givenWords, roleWord } from './words'

/** Who has a role: by whom, since when, until when. */
export function RolePeopleDialog({ of: role, onClose }: { of: Role; onClose: () => void }) {
  const { t, format } = useLanguage()
  const list = useInfiniteQuery(
    pagesQuery(['roles', role.id, 'people'], (cursor, signal) => listRolePeople(role.id, cursor, signal)),
  )
  const people = list.data?.pages.flatMap(({ items }) => items)
  return (
    <Modal
      opened
      onClose={onClose}
      size={520}
      title={t.access.peopleTitle(roleWord(t, role.name, role.title))}
      closeButtonProps={{ 'aria-label': t.common.close }}
    >
      <Stack gap="sm">
        {list.isError && people === undefined && <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />}
        {list.isPending && <Skeleton height={96} radius="md" />}
        {people?.length === 0 && (
          <EmptyState icon={<IconUsers size={20} />} title={t.access.nobody} text={t.access.nobodyText} />
        )}
        {people !== undefined && people.length > 0 && (
          <ul className={classes.list}>
            {people.map((grant) => (
              <li key={grant.user_id} className={classes.item}>
                <div className={classes.breakable}>
                  <Text size="sm" fw={500}>
                    {grant.name || grant.email}
                  </Text>
                  <Text size="xs" c="dimmed">
                    {[grant.name === '' ? null : grant.email, givenWords(t, format, grant)].filter(Boolean).join(' · ')}
                  </Text>
                </div>
              </li>
            ))}
          </ul>
        )}
        {list.hasNextPage && (
          <Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            {t.common.more}
          </Button>
        )}
      </Stack>
    </Modal>
  )
}
