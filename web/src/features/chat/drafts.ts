/** What was typed and not sent, per person and conversation, in this browser. */
const KEPT = 'aihub:draft'

export const NEW = 'new'

const keyOf = (userId: string, conversationId: string) => `${KEPT}:${userId}:${conversationId}`

export function readDraft(userId: string, conversationId: string): string {
  return localStorage.getItem(keyOf(userId, conversationId)) ?? ''
}

export function keepDraft(userId: string, conversationId: string, text: string): void {
  const key = keyOf(userId, conversationId)
  if (text === '') {
    localStorage.removeItem(key)
    return
  }
  try {
    localStorage.setItem(key, text)
  } catch {
    // The browser's store is full: the text stays in the box, it only does not outlive the page.
  }
}
