import '@fontsource-variable/inter/wght.css'
import '@mantine/core/styles.css'
import './app/base.css'
import { setNonce } from 'get-nonce'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app/App'
import { loadLanguage, startLocale } from './i18n'

const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? ''
// Dialogs lock the page's scroll with a style element of their own; it needs the nonce too.
setNonce(nonce)

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no #root')

const language = await loadLanguage(startLocale())
createRoot(root).render(
  <StrictMode>
    <App nonce={nonce} language={language} />
  </StrictMode>,
)
