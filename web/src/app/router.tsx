import { createBrowserRouter, Navigate } from 'react-router'
import { Crash, NotFound } from './Lost'
import { Restricted } from './Restricted'
import { Shell } from './shell/Shell'
import { ShellSkeleton } from './shell/ShellSkeleton'
import { SignedIn } from './SignedIn'

export function createRouter() {
  return createBrowserRouter([
    {
      errorElement: <Crash />,
      hydrateFallbackElement: <ShellSkeleton />,
      children: [
        {
          path: '/setup',
          lazy: async () => ({ Component: (await import('@/features/entry/SetupPage')).SetupPage }),
        },
        {
          path: '/sign-in',
          lazy: async () => ({ Component: (await import('@/features/entry/SignInPage')).SignInPage }),
        },
        {
          path: '/sign-in/link',
          lazy: async () => ({ Component: (await import('@/features/entry/LinkFirstPage')).LinkFirstPage }),
        },
        {
          path: '/sign-in/code',
          lazy: async () => ({ Component: (await import('@/features/entry/CodePage')).CodePage }),
        },
        {
          path: '/proven',
          lazy: async () => ({ Component: (await import('@/features/security/ProvenPage')).ProvenPage }),
        },
        {
          path: '/invite',
          lazy: async () => ({ Component: (await import('@/features/entry/InvitePage')).InvitePage }),
        },
        {
          path: '/forgot',
          lazy: async () => ({ Component: (await import('@/features/entry/ForgotPage')).ForgotPage }),
        },
        {
          path: '/reset',
          lazy: async () => ({ Component: (await import('@/features/entry/ResetPage')).ResetPage }),
        },
        {
          path: '/verify',
          lazy: async () => ({ Component: (await import('@/features/entry/VerifyPage')).VerifyPage }),
        },
        {
          path: '/certificate',
          lazy: async () => ({ Component: (await import('@/features/entry/CertificatePage')).CertificatePage }),
        },
        {
          path: '/s/:token',
          lazy: async () => ({ Component: (await import('@/features/shared/SharedPage')).SharedPage }),
        },
        {
          element: <SignedIn />,
          children: [
            {
              path: 'link-sign-in',
              lazy: async () => ({
                Component: (await import('@/features/entry/ConfirmLinkPage')).ConfirmLinkPage,
              }),
            },
            {
              element: <Shell />,
              children: [
                {
                  errorElement: <Crash />,
                  children: [
                    { index: true, element: <Navigate to="/chat" replace /> },
                    {
                      element: <Restricted permission="chat:use" />,
                      children: [
                        {
                          path: 'chat/:id?',
                          lazy: async () => ({ Component: (await import('@/features/chat/ChatPage')).ChatPage }),
                        },
                      ],
                    },
                    { path: 'account', element: <Navigate to="/account/profile" replace /> },
                    {
                      path: 'account/profile',
                      lazy: async () => ({
                        Component: (await import('@/features/account/ProfilePage')).ProfilePage,
                      }),
                    },
                    {
                      path: 'account/security',
                      lazy: async () => ({
                        Component: (await import('@/features/security/SecurityPage')).SecurityPage,
                      }),
                    },
                    {
                      path: 'account/privacy',
                      lazy: async () => ({
                        Component: (await import('@/features/privacy/PrivacyPage')).PrivacyPage,
                      }),
                    },
                    {
                      element: <Restricted permission="keys:read" />,
                      children: [
                        {
                          path: 'account/keys',
                          lazy: async () => ({ Component: (await import('@/features/account/KeysPage')).KeysPage }),
                        },
                      ],
                    },
                    {
                      element: <Restricted permission="credits:read" />,
                      children: [
                        {
                          path: 'account/credits',
                          lazy: async () => ({
                            Component: (await import('@/features/account/CreditsPage')).CreditsPage,
                          }),
                        },
                      ],
                    },
                    {
                      element: <Restricted permission="users:read" />,
                      children: [
                        {
                          path: 'admin/users',
                          lazy: async () => ({
                            Component: (await import('@/features/administration/UsersPage')).UsersPage,
                          }),
                        },
                      ],
                    },
                    {
                      element: <Restricted permission="roles:read" />,
                      children: [
                        {
                          path: 'admin/roles',
                          lazy: async () => ({
                            Component: (await import('@/features/administration/access/RolesPage')).RolesPage,
                          }),
                        },
                      ],
                    },
                    {
                      element: <Restricted permission="users:create" />,
                      children: [
                        {
                          path: 'admin/invitations',
                          lazy: async () => ({
                            Component: (await import('@/features/administration/InvitationsPage')).InvitationsPage,
                          }),
                        },
                      ],
                    },
                    {
                      element: <Restricted permission="mail:read" />,
                      children: [
                        {
                          path: 'admin/outbox',
                          lazy: async () => ({
                            Component: (await import('@/features/administration/OutboxPage')).OutboxPage,
                          }),
                        },
                      ],
                    },
                    {
                      element: <Restricted permission="sso:read" />,
                      children: [
                        {
                          path: 'admin/sign-in',
                          lazy: async () => ({
                            Component: (await import('@/features/federation/ProvidersPage')).ProvidersPage,
                          }),
                        },
                      ],
                    },
                    {
                      element: <Restricted permission="providers:read" />,
                      children: [
                        {
                          path: 'admin/models',
                          lazy: async () => ({
                            Component: (await import('@/features/administration/ModelsPage')).ModelsPage,
                          }),
                        },
                      ],
                    },
                    {
                      element: <Restricted permission="jobs:read" />,
                      children: [
                        {
                          path: 'admin/jobs',
                          lazy: async () => ({
                            Component: (await import('@/features/administration/JobsPage')).JobsPage,
                          }),
                        },
                      ],
                    },
                    {
                      element: <Restricted permission="settings:read" />,
                      children: [
                        {
                          path: 'admin/settings',
                          lazy: async () => ({
                            Component: (await import('@/features/administration/SettingsPage')).SettingsPage,
                          }),
                        },
                      ],
                    },
                    {
                      path: 'account/activity',
                      lazy: async () => ({
                        Component: (await import('@/features/audit/ActivityPage')).ActivityPage,
                      }),
                    },
                    {
                      element: <Restricted permission="security_events:read" />,
                      children: [
                        {
                          path: 'admin/security-events',
                          lazy: async () => ({
                            Component: (await import('@/features/audit/SecurityEventsPage')).SecurityEventsPage,
                          }),
                        },
                      ],
                    },
                    {
                      element: <Restricted permission="audit:read" />,
                      children: [
                        {
                          path: 'admin/audit',
                          lazy: async () => ({
                            Component: (await import('@/features/audit/AuditPage')).AuditPage,
                          }),
                        },
                      ],
                    },
                    { path: '*', element: <NotFound /> },
                  ],
                },
              ],
            },
          ],
        },
      ],
    },
  ])
}
