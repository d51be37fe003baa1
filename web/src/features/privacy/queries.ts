import { queryOptions } from '@tanstack/react-query'
import { readDeletion, readPrivacy, type DataExport } from '@/api/privacy'

export function isOpen({ status }: DataExport): boolean {
  return status === 'waiting' || status === 'running'
}

/** Read again every moment while an export is being written. */
export const privacyQuery = queryOptions({
  queryKey: ['privacy'],
  queryFn: ({ signal }) => readPrivacy(signal),
  refetchInterval: ({ state }) => (state.data?.exports.some(isOpen) === true ? 1_000 : false),
})

export const deletionQuery = queryOptions({
  queryKey: ['privacy', 'deletion'],
  queryFn: ({ signal }) => readDeletion(signal),
})
