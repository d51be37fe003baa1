import { entryEn } from './entry.en'
import { chatEn } from './chat.en'
import { accountEn } from './account.en'
import { usersEn } from './users.en'
import { modelsEn } from './models.en'
import { operationsEn } from './operations.en'
import { ggufEn } from './gguf.en'
import { mailEn } from './mail.en'
import { securityEn } from './security.en'
import { auditEn } from './audit.en'
import { accessEn } from './access.en'
import { federationEn } from './federation.en'
import { privacyEn } from './privacy.en'
import type { Said } from './problems.fr'

export const en = {
  ...entryEn,
  ...chatEn,
  ...accountEn,
  ...usersEn,
  ...modelsEn,
  ...operationsEn,
  ...ggufEn,
  ...mailEn,
  ...securityEn,
  ...auditEn,
  ...accessEn,
  ...federationEn,
  ...privacyEn,
  /** The hub's errors by code, where a language has its own words for them. English is what the hub speaks. */
  problems: {} as Record<string, Said>,
  product: 'Smart AI Hub',
  common: {
    loading: 'Loading',
    retry: 'Try again',
    cancel: 'Cancel',
    close: 'Close',
    save: 'Save',
    saved: 'Saved',
    delete: 'Delete',
    undo: 'Undo',
    copy: 'Copy',
    copied: 'Copied',
    more: 'Load more',
    search: 'Search',
    never: 'Never',
    none: 'None',
    actions: 'Actions',
    skipToContent: 'Skip to content',
    showPassword: 'Show or hide what you typed',
    dismiss: 'Dismiss',
    code: 'Code',
    request: 'Request',
  },
  errors: {
    title: 'This did not work',
    unreachable: 'The hub does not answer',
    unreachableRemedy: 'Check that it is running and that you are connected, then try again.',
    unreachableWaits: 'This page opens by itself as soon as the hub is back. What you typed is kept.',
    notFoundTitle: 'There is nothing at this address',
    notFoundText: 'The page was moved or never existed.',
    goHome: 'Go to chat',
    forbiddenTitle: 'This page is not for your role',
    forbiddenText: 'Ask an administrator if you need it.',
    crashTitle: 'This page broke',
    crashText: 'Your work on the server is safe. Reload the page to go on.',
    reload: 'Reload',
  },
  nav: {
    main: 'Main',
    assistants: 'Assistants',
    account: 'Account',
    administration: 'Administration',
    chat: 'Chat',
    profile: 'Profile',
    security: 'Security',
    keys: 'API keys',
    credits: 'Credits and usage',
    users: 'Users',
    models: 'Models and providers',
    jobs: 'Jobs',
    settings: 'Settings',
    audit: 'Audit log',
    open: 'Open the navigation',
    signOut: 'Sign out',
    search: 'Search and commands',
    available: (amount: string) => `${amount} credits`,
  },
  palette: {
    title: 'Search and commands',
    placeholder: 'Find a page, a conversation or a command',
    pages: 'Pages',
    commands: 'Commands',
    conversations: 'Conversations',
    people: 'People',
    preferences: 'Preferences',
    nothing: 'Nothing matches.',
    newChat: 'New chat',
    light: 'Switch to the light theme',
    dark: 'Switch to the dark theme',
    system: "Follow the system's theme",
    english: 'Switch to English',
    french: 'Passer en français',
    hint: 'to move',
    hintOpen: 'to open',
    hintClose: 'to close',
  },
  roles: {
    super_admin: 'Super administrator',
    admin: 'Administrator',
    manager: 'Manager',
    user: 'User',
    guest: 'Guest',
  } as Record<string, string>,
}

export type Messages = typeof en
