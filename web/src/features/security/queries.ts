import { queryOptions } from '@tanstack/react-query'
import { listDevices, listPasskeys } from '@/api/security'

export { secondFactorQuery } from '@/api/security'

export const passkeysQuery = queryOptions({
  queryKey: ['security', 'passkeys'],
  queryFn: ({ signal }) => listPasskeys(signal),
})

export const devicesQuery = queryOptions({
  queryKey: ['security', 'devices'],
  queryFn: ({ signal }) => listDevices(signal),
})
