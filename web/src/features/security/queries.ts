import { queryOptions } from '@tanstack/react-query'
import { listDevices, listPasskeys, readSecondFactor } from '@/api/security'

export const secondFactorQuery = queryOptions({
  queryKey: ['security', 'second-factor'],
  queryFn: ({ signal }) => readSecondFactor(signal),
})

export const passkeysQuery = queryOptions({
  queryKey: ['security', 'passkeys'],
  queryFn: ({ signal }) => listPasskeys(signal),
})

export const devicesQuery = queryOptions({
  queryKey: ['security', 'devices'],
  queryFn: ({ signal }) => listDevices(signal),
})
