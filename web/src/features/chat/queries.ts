import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query'
import { listConversations, readConversation } from '@/api/conversations'

export const conversationQuery = (id: string) =>
  queryOptions({
    queryKey: ['conversation', id],
    queryFn: ({ signal }) => readConversation(id, signal),
    // A conversation changes by this page's own doing; another window's work is seen on focus.
    staleTime: 5_000,
  })

export const conversationsQuery = (search: string) =>
  infiniteQueryOptions({
    queryKey: ['conversations', search],
    queryFn: ({ pageParam, signal }) => listConversations(search, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  })
