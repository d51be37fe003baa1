/** Server state that more than one feature reads. */
import { queryOptions } from '@tanstack/react-query'
import { readBalance } from './credits'
import { listModels, readEmbedded } from './gateway'

export const balanceQuery = queryOptions({
  queryKey: ['credits', 'balance'],
  queryFn: ({ signal }) => readBalance(signal),
})

export const modelsQuery = queryOptions({
  queryKey: ['models'],
  queryFn: ({ signal }) => listModels(signal),
  staleTime: 60_000,
})

/** Watched closely while it is on its way, and now and then when it is not. */
export const embeddedQuery = queryOptions({
  queryKey: ['embedded'],
  queryFn: ({ signal }) => readEmbedded(signal),
  refetchInterval: ({ state }) => {
    const now = state.data?.state
    return now === 'downloading' || now === 'loading' ? 1_500 : now === 'ready' ? false : 15_000
  },
})
