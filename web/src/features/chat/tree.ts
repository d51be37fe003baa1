/** Conversations branch: an edit or a new answer is a sibling. These functions walk the tree. */
import type { Message } from '@/api/types'

export interface Tree {
  byId: Map<string, Message>
  /** Oldest first; the key null holds the beginnings. */
  children: Map<string | null, Message[]>
}

export function growTree(messages: Message[]): Tree {
  const byId = new Map(messages.map((message) => [message.id, message]))
  const children = new Map<string | null, Message[]>()
  const inOrder = [...messages].sort((a, b) => a.created_at.localeCompare(b.created_at))
  for (const message of inOrder) {
    const parent = message.parent_id !== null && byId.has(message.parent_id) ? message.parent_id : null
    children.set(parent, [...(children.get(parent) ?? []), message])
  }
  return { byId, children }
}

/** From a message down to the newest end of its branch. */
export function newestLeaf(tree: Tree, from: string): string {
  let at = from
  for (;;) {
    const next = tree.children.get(at)?.at(-1)
    if (next === undefined) return at
    at = next.id
  }
}

/** The messages on show: from the beginning to the current message. */
export function pathTo(tree: Tree, current: string | null): Message[] {
  const fallback = tree.children.get(null)?.at(-1)
  const start = current !== null && tree.byId.has(current) ? current : fallback && newestLeaf(tree, fallback.id)
  const path: Message[] = []
  let at = start === undefined ? undefined : tree.byId.get(start)
  while (at !== undefined) {
    path.push(at)
    at = at.parent_id === null ? undefined : tree.byId.get(at.parent_id)
  }
  return path.reverse()
}

export function siblings(tree: Tree, message: Message): Message[] {
  const parent = message.parent_id !== null && tree.byId.has(message.parent_id) ? message.parent_id : null
  return tree.children.get(parent) ?? [message]
}
