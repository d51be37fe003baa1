import type { Model } from '@/api/types'

const CHOSEN = 'aihub:model'

export const chatModels = (models: Model[]) => models.filter((model) => model.kind === 'chat' && model.enabled)

/** The last one chosen in this browser, else what the hub answers with when nobody chooses. */
export function defaultModel(models: Model[]): string | null {
  const usable = chatModels(models)
  const last = localStorage.getItem(CHOSEN)
  const chosen =
    usable.find(({ name, state }) => name === last && state !== 'stopped') ?? usable.find((model) => model.default) ?? usable[0]
  return chosen?.name ?? null
}

export function rememberModel(name: string): void {
  localStorage.setItem(CHOSEN, name)
}
