import { Button, Skeleton, Text, Title } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { IconLinkOff } from '@tabler/icons-react'
import { useParams } from 'react-router'
import { Problem } from '@/api/client'
import { readShared } from '@/api/conversations'
import { useLanguage } from '@/i18n'
import { BrandMark } from '@/ui/Brand'
import { EmptyState } from '@/ui/EmptyState'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Markdown } from '@/ui/markdown/Markdown'
import { useDocumentTitle } from '@/ui/Page'
import classes from './shared.module.css'

/** A conversation as its owner shared it, for anyone who has the link. */
export function SharedPage() {
  const { token = '' } = useParams()
  const { t, format } = useLanguage()
  const shared = useInfiniteQuery({
    queryKey: ['shared', token],
    queryFn: ({ pageParam, signal }) => readShared(token, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
  })
  const first = shared.data?.pages[0]
  useDocumentTitle(first?.title ?? t.shared.title)
  const gone = shared.error instanceof Problem && [401, 403, 404, 410].includes(shared.error.status)

  return (
    <div className={classes.page}>
      <header className={classes.head}>
        <BrandMark size={20} />
        <Text fw={500}>{t.shared.title}</Text>
      </header>
      <main className={classes.column}>
        {shared.isPending && (
          <div role="status" aria-label={t.common.loading}>
            <Skeleton height={24} width="60%" />
            <Skeleton height={12} mt={32} />
            <Skeleton height={12} mt={12} width="80%" />
          </div>
        )}
        {gone && (
          <EmptyState whole icon={<IconLinkOff size={20} />} title={t.shared.goneTitle} text={t.shared.goneText} />
        )}
        {shared.isError && !gone && <ErrorPanel error={shared.error} onRetry={() => void shared.refetch()} />}
        {first && (
          <>
            <Title order={1} dir="auto">{first.title || t.chat.untitled}</Title>
            <Text c="dimmed">{t.shared.sharedOn(format.date(first.shared_at))}</Text>
            {shared.data?.pages.flatMap((page) => page.messages).map((message) =>
              message.role === 'user' ? (
                <article key={message.id} className={classes.question} dir="auto" aria-label={t.chat.you}>
                  {message.text}
                </article>
              ) : (
                <article key={message.id} className={classes.answer} aria-label={t.chat.assistant}>
                  <Markdown text={message.text} />
                </article>
              ),
            )}
            {shared.hasNextPage && (
              <Button
                variant="default"
                mt="xl"
                loading={shared.isFetchingNextPage}
                onClick={() => void shared.fetchNextPage()}
              >
                {t.common.more}
              </Button>
            )}
          </>
        )}
      </main>
    </div>
  )
}
