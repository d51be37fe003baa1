import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { useState } from 'react'
import { RouterProvider } from 'react-router/dom'
import { Problem, setDeniedHandler, setSignedOutHandler } from '@/api/client'
import type { Locale } from '@/api/types'
import { LanguageProvider, type Messages } from '@/i18n'
import { ToastProvider } from '@/ui/toasts'
import { createRouter } from './router'
import { cssVariables, theme } from './theme'

const schemes = localStorageColorSchemeManager({ key: 'aihub:theme' })

function createQueryClient(): QueryClient {
  const client = new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 15_000,
        retry: (failures, error) =>
          failures < 2 && error instanceof Problem && (error.status === 0 || error.status >= 502),
        retryDelay: (attempt) => 400 * 2 ** attempt,
      },
    },
  })
  setSignedOutHandler(() => void client.resetQueries({ queryKey: ['session'] }))
  setDeniedHandler(() => void client.invalidateQueries({ queryKey: ['session'] }))
  return client
}

export function App({ nonce, language }: { nonce: string; language: { locale: Locale; t: Messages } }) {
  const [client] = useState(createQueryClient)
  const [router] = useState(createRouter)
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariables}
      colorSchemeManager={schemes}
      defaultColorScheme="auto"
      getStyleNonce={() => nonce}
    >
      <LanguageProvider initial={language}>
        <QueryClientProvider client={client}>
          <ToastProvider>
            <RouterProvider router={router} />
          </ToastProvider>
        </QueryClientProvider>
      </LanguageProvider>
    </MantineProvider>
  )
}
