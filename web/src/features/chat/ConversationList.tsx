import { Button, Skeleton, Text, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useInfiniteQuery } from '@tanstack/react-query'
import { IconPlus, IconSearch } from '@tabler/icons-react'
import { useState } from 'react'
import { Link, NavLink } from 'react-router'
import type { Conversation } from '@/api/types'
import { useLanguage, type Messages } from '@/i18n'
import { ErrorPanel } from '@/ui/ErrorPanel'
import classes from './conversations.module.css'
import { ConversationMenu } from './ConversationMenu'
import { conversationsQuery } from './queries'

const DAY_MS = 86_400_000

/** Newest first, under the words people use for when. */
function byAge(conversations: Conversation[], t: Messages): [string, Conversation[]][] {
  const midnight = new Date().setHours(0, 0, 0, 0)
  const groups = new Map<string, Conversation[]>()
  for (const conversation of conversations) {
    const at = new Date(conversation.updated_at).getTime()
    const name =
      at >= midnight
        ? t.chat.today
        : at >= midnight - DAY_MS
          ? t.chat.yesterday
          : at >= midnight - 7 * DAY_MS
            ? t.chat.week
            : t.chat.earlier
    groups.set(name, [...(groups.get(name) ?? []), conversation])
  }
  return [...groups]
}

export function ConversationList({ onNavigate }: { onNavigate?: () => void }) {
  const { t } = useLanguage()
  const [typed, setTyped] = useState('')
  const [search] = useDebouncedValue(typed.trim(), 200)
  const list = useInfiniteQuery(conversationsQuery(search))
  const conversations = list.data?.pages.flatMap(({ items }) => items) ?? []

  return (
    <div className={classes.listBody}>
      <div className={classes.listHead}>
        <Button
          component={Link}
          to="/chat"
          variant="default"
          fullWidth
          justify="flex-start"
          leftSection={<IconPlus size={16} />}
          onClick={() => onNavigate?.()}
        >
          {t.chat.newChat}
        </Button>
        <TextInput
          type="search"
          aria-label={t.chat.searchConversations}
          placeholder={t.chat.searchConversations}
          leftSection={<IconSearch size={15} />}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
      </div>
      <nav aria-label={t.chat.conversations} className={classes.listItems}>
        {list.isPending &&
          [120, 180, 150, 96].map((width) => (
            <div key={width} className={classes.listItem}>
              <Skeleton height={11} width={width} />
            </div>
          ))}
        {list.isError && conversations.length === 0 && (
          <ErrorPanel error={list.error} onRetry={() => void list.refetch()} compact />
        )}
        {list.isSuccess && conversations.length === 0 && (
          <Text size="sm" c="dimmed" p="xs">
            {search === '' ? t.chat.noConversations : t.chat.noMatches}
          </Text>
        )}
        {byAge(conversations, t).map(([name, group]) => (
          <section key={name} aria-label={name} className={classes.listGroup}>
            <h2 className={classes.listGroupName}>{name}</h2>
            <ul>
              {group.map((conversation) => (
                <li key={conversation.id} className={classes.listRow}>
                  <NavLink
                    to={`/chat/${conversation.id}`}
                    className={classes.listItem ?? ''}
                    dir="auto"
                    onClick={() => onNavigate?.()}
                  >
                    {conversation.title || t.chat.untitled}
                  </NavLink>
                  <ConversationMenu conversation={conversation} className={classes.listMenu ?? ''} />
                </li>
              ))}
            </ul>
          </section>
        ))}
        {list.hasNextPage && (
          <Button
            variant="subtle"
            color="gray"
            fullWidth
            loading={list.isFetchingNextPage}
            onClick={() => void list.fetchNextPage()}
          >
            {t.common.more}
          </Button>
        )}
      </nav>
    </div>
  )
}
