import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

const outDir = fileURLToPath(new URL('../src/aihub/webapp', import.meta.url))

/** The output folder is emptied on each build, yet the repository keeps it: put its marker back. */
function keepOutputFolder(): Plugin {
  return {
    name: 'keep-output-folder',
    apply: 'build',
    closeBundle() {
      writeFileSync(`${outDir}/.gitkeep`, '')
    },
  }
}

export default defineConfig({
  plugins: [react(), keepOutputFolder()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  // The server puts a fresh nonce in the place of this literal in each answer.
  html: { cspNonce: '__CSP_NONCE__' },
  build: {
    outDir,
    emptyOutDir: true,
    manifest: true,
    sourcemap: false,
    reportCompressedSize: false,
    // A data: URL would need its own word in the content security policy.
    assetsInlineLimit: 0,
  },
  server: {
    port: 5173,
    proxy: {
      '/api': process.env['AIHUB_URL'] ?? 'http://127.0.0.1:8000',
      '/v1': process.env['AIHUB_URL'] ?? 'http://127.0.0.1:8000',
      '/health': process.env['AIHUB_URL'] ?? 'http://127.0.0.1:8000',
    },
  },
})
