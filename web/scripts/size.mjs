// Prints what the browser must load before the first view, and fails above the budget.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const BUDGET_KB = 300
const out = fileURLToPath(new URL('../../src/aihub/webapp/', import.meta.url))
const manifest = JSON.parse(readFileSync(`${out}.vite/manifest.json`, 'utf8'))

const gzipped = (file) => gzipSync(readFileSync(out + file), { level: 9 }).length / 1024

function closure(key, seen = new Set()) {
  if (seen.has(key)) return seen
  seen.add(key)
  for (const next of manifest[key].imports ?? []) closure(next, seen)
  return seen
}

/** Everything a first visit to one route fetches: the entry and that route's own chunks. */
function scriptsOf(...keys) {
  const all = new Set(keys.flatMap((key) => [...closure(key)]))
  return [...all].map((key) => manifest[key].file).filter((file) => file.endsWith('.js'))
}

const sum = (files) => files.reduce((total, file) => total + gzipped(file), 0)
const entry = Object.keys(manifest).find((key) => manifest[key].isEntry)
const first = sum(scriptsOf(entry))
let worst = first
console.log(`first load  ${first.toFixed(1)} KB of script gzipped (budget ${BUDGET_KB} KB)`)
for (const key of Object.keys(manifest).filter((name) => manifest[name].isDynamicEntry).sort()) {
  const total = sum(scriptsOf(entry, key))
  if (key.startsWith('src/features/')) worst = Math.max(worst, total)
  console.log(`  + ${key.padEnd(58)} ${(total - first).toFixed(1).padStart(6)} KB  (${total.toFixed(1)})`)
}
if (worst > BUDGET_KB) {
  console.error(`The budget of ${BUDGET_KB} KB is exceeded: ${worst.toFixed(1)} KB.`)
  process.exit(1)
}
