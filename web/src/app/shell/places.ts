import {
  IconAdjustments,
  IconBoxModel2,
  IconCoin,
  IconHistory,
  IconKey,
  IconLogin2,
  IconListDetails,
  IconMailPlus,
  IconMailbox,
  IconMessageCircle,
  IconShieldExclamation,
  IconShieldLock,
  IconStack2,
  IconUser,
  IconUserShield,
  IconUsers,
  IconUsersGroup,
  type Icon,
} from '@tabler/icons-react'
import type { Messages } from '@/i18n'

export interface Place {
  path: string
  /** Null: everybody who is signed in. */
  permission: string | null
  icon: Icon
  name: (t: Messages) => string
}

export interface PlaceGroup {
  name: (t: Messages) => string
  /** The first group needs no heading: it is what the product is for. */
  headed: boolean
  places: Place[]
}

/** Every page of the rail and of the palette, in the order in which people see them. */
export const placeGroups: PlaceGroup[] = [
  {
    name: (t) => t.nav.assistants,
    headed: false,
    places: [{ path: '/chat', permission: 'chat:use', icon: IconMessageCircle, name: (t) => t.nav.chat }],
  },
  {
    name: (t) => t.nav.account,
    headed: true,
    places: [
      { path: '/account/profile', permission: null, icon: IconUser, name: (t) => t.nav.profile },
      { path: '/account/security', permission: null, icon: IconShieldLock, name: (t) => t.nav.security },
      { path: '/account/activity', permission: null, icon: IconListDetails, name: (t) => t.activity.title },
      { path: '/account/privacy', permission: null, icon: IconUserShield, name: (t) => t.privacy.title },
      { path: '/account/keys', permission: 'keys:read', icon: IconKey, name: (t) => t.nav.keys },
      { path: '/account/credits', permission: 'credits:read', icon: IconCoin, name: (t) => t.nav.credits },
    ],
  },
  {
    name: (t) => t.nav.administration,
    headed: true,
    places: [
      { path: '/admin/users', permission: 'users:read', icon: IconUsers, name: (t) => t.nav.users },
      { path: '/admin/roles', permission: 'roles:read', icon: IconUsersGroup, name: (t) => t.access.title },
      { path: '/admin/invitations', permission: 'users:create', icon: IconMailPlus, name: (t) => t.invitations.title },
      { path: '/admin/sign-in', permission: 'sso:read', icon: IconLogin2, name: (t) => t.signInProviders.title },
      { path: '/admin/models', permission: 'providers:read', icon: IconBoxModel2, name: (t) => t.nav.models },
      { path: '/admin/jobs', permission: 'jobs:read', icon: IconStack2, name: (t) => t.nav.jobs },
      { path: '/admin/outbox', permission: 'mail:read', icon: IconMailbox, name: (t) => t.outbox.title },
      { path: '/admin/settings', permission: 'settings:read', icon: IconAdjustments, name: (t) => t.nav.settings },
      { path: '/admin/audit', permission: 'audit:read', icon: IconHistory, name: (t) => t.nav.audit },
      {
        path: '/admin/security-events',
        permission: 'security_events:read',
        icon: IconShieldExclamation,
        name: (t) => t.events.title,
      },
    ],
  },
]

export function placesFor(may: (permission: string) => boolean): PlaceGroup[] {
  return placeGroups
    .map((group) => ({
      ...group,
      places: group.places.filter((place) => place.permission === null || may(place.permission)),
    }))
    .filter((group) => group.places.length > 0)
}
