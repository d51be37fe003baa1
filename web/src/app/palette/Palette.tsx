import { Kbd, Modal, Text, useMantineColorScheme } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import {
  IconDeviceDesktop,
  IconLanguage,
  IconLogout,
  IconMessage,
  IconMoon,
  IconPlus,
  IconSearch,
  IconSun,
  IconUser,
  type Icon,
} from '@tabler/icons-react'
import { useId, useRef, useState } from 'react'
import { useNavigate } from 'react-router'
import { listConversations } from '@/api/conversations'
import { changeMe, signOut } from '@/api/identity'
import { suggestPeople } from '@/api/people'
import { leaveSession, updateAccount } from '@/api/session'
import type { Locale, Theme } from '@/api/types'
import { useLanguage } from '@/i18n'
import { useMay } from '@/ui/session'
import { useToasts } from '@/ui/toasts'
import { placesFor } from '../shell/places'
import classes from './palette.module.css'

interface Entry {
  id: string
  name: string
  detail?: string
  icon: Icon
  run: () => void
}

/** Small letters without accents: "résumé" is found by "resume". */
const plain = (text: string) =>
  text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()

export function Palette({ onClose }: { onClose: () => void }) {
  const { t, setLocale } = useLanguage()
  const { setColorScheme } = useMantineColorScheme()
  const client = useQueryClient()
  const navigate = useNavigate()
  const may = useMay()
  const toasts = useToasts()
  const [typed, setTyped] = useState('')
  const [search] = useDebouncedValue(typed.trim(), 150)
  const [at, setAt] = useState(0)
  const listId = useId()
  const list = useRef<HTMLDivElement>(null)

  const conversations = useQuery({
    queryKey: ['palette', 'conversations', search],
    queryFn: ({ signal }) => listConversations(search, null, signal),
    enabled: may('chat:use'),
    placeholderData: (before) => before,
  })
  const people = useQuery({
    queryKey: ['palette', 'people', search],
    queryFn: ({ signal }) => suggestPeople(search, signal),
    enabled: may('users:read') && search.length > 1,
  })

  const go = (path: string) => () => void navigate(path)
  const prefer = (change: { locale?: Locale; theme?: Theme }) => () => {
    if (change.locale) setLocale(change.locale)
    if (change.theme) setColorScheme(change.theme === 'system' ? 'auto' : change.theme)
    changeMe(change).then((user) => updateAccount(client, user), toasts.fail)
  }
  const leave = () => {
    signOut().then(async () => {
      await navigate('/sign-in')
      leaveSession(client)
    }, toasts.fail)
  }

  const wanted = plain(typed.trim())
  const matching = (entries: Entry[]) => entries.filter(({ name }) => plain(name).includes(wanted))
  const found: { name: string; entries: Entry[]; searched?: boolean }[] = [
    {
      name: t.palette.commands,
      entries: matching([
        ...(may('chat:use') ? [{ id: 'new', name: t.palette.newChat, icon: IconPlus, run: go('/chat') }] : []),
      ]),
    },
    {
      name: t.palette.conversations,
      searched: true,
      entries: (conversations.data?.items ?? []).slice(0, wanted === '' ? 5 : 8).map((conversation) => ({
        id: `conversation-${conversation.id}`,
        name: conversation.title || t.chat.untitled,
        icon: IconMessage,
        run: go(`/chat/${conversation.id}`),
      })),
    },
    {
      name: t.palette.pages,
      entries: matching(
        placesFor(may)
          .flatMap(({ places }) => places)
          .map((place) => ({ id: place.path, name: place.name(t), icon: place.icon, run: go(place.path) })),
      ),
    },
    {
      name: t.palette.people,
      searched: true,
      entries:
        search.length > 1
          ? (people.data?.items ?? []).slice(0, 5).map((user) => ({
              id: `user-${user.id}`,
              name: user.name,
              detail: user.email,
              icon: IconUser,
              run: go(`/admin/users?search=${encodeURIComponent(user.email)}`),
            }))
          : [],
    },
    {
      name: t.palette.preferences,
      entries: matching([
        { id: 'light', name: t.palette.light, icon: IconSun, run: prefer({ theme: 'light' }) },
        { id: 'dark', name: t.palette.dark, icon: IconMoon, run: prefer({ theme: 'dark' }) },
        { id: 'system', name: t.palette.system, icon: IconDeviceDesktop, run: prefer({ theme: 'system' }) },
        { id: 'english', name: t.palette.english, icon: IconLanguage, run: prefer({ locale: 'en' }) },
        { id: 'french', name: t.palette.french, icon: IconLanguage, run: prefer({ locale: 'fr' }) },
        { id: 'leave', name: t.nav.signOut, icon: IconLogout, run: leave },
      ]),
    },
  ]
  // What the words name comes before what merely contains them, and does not move when the server answers.
  const inOrder =
    wanted === '' ? found : [...found.filter(({ searched }) => !searched), ...found.filter(({ searched }) => searched)]
  const groups = inOrder.filter(({ entries }) => entries.length > 0)

  const flat = groups.flatMap(({ entries }) => entries)
  const current = flat[Math.min(at, flat.length - 1)]

  const moveTo = (index: number) => {
    const next = (index + flat.length) % Math.max(flat.length, 1)
    setAt(next)
    const id = flat[next]?.id
    if (id !== undefined) list.current?.querySelector(`[data-entry="${CSS.escape(id)}"]`)?.scrollIntoView({ block: 'nearest' })
  }
  const open = (entry: Entry | undefined) => {
    if (!entry) return
    onClose()
    entry.run()
  }

  return (
    <Modal
      opened
      onClose={onClose}
      withCloseButton={false}
      centered={false}
      yOffset="12vh"
      size={560}
      padding={0}
      attributes={{ content: { 'aria-label': t.palette.title } }}
    >
      <div className={classes.field}>
        <IconSearch size={18} aria-hidden />
        <input
          data-autofocus
          // At once, not when the dialog has settled: people type on after the shortcut.
          autoFocus
          role="combobox"
          aria-expanded
          aria-controls={listId}
          aria-activedescendant={current ? `${listId}-${current.id}` : undefined}
          aria-label={t.palette.placeholder}
          placeholder={t.palette.placeholder}
          value={typed}
          onChange={(event) => {
            setTyped(event.currentTarget.value)
            setAt(0)
          }}
          onKeyDown={(event) => {
            if (event.key === 'ArrowDown') moveTo(flat.indexOf(current as Entry) + 1)
            else if (event.key === 'ArrowUp') moveTo(flat.indexOf(current as Entry) - 1)
            else if (event.key === 'Enter' && !event.nativeEvent.isComposing) open(current)
            else return
            event.preventDefault()
          }}
        />
      </div>
      <div id={listId} ref={list} role="listbox" aria-label={t.palette.title} className={classes.list}>
        {groups.map((group) => (
          <div key={group.name} role="group" aria-label={group.name}>
            <div className={classes.groupName} aria-hidden>
              {group.name}
            </div>
            {group.entries.map((entry) => (
              // The field keeps the focus and its keys; the pointer is the other way.
              // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
              <div
                key={entry.id}
                id={`${listId}-${entry.id}`}
                data-entry={entry.id}
                role="option"
                aria-selected={entry === current}
                className={classes.entry}
                onClick={() => open(entry)}
                onMouseMove={() => setAt(flat.indexOf(entry))}
              >
                <entry.icon size={17} stroke={1.7} aria-hidden />
                <span className={classes.name}>{entry.name}</span>
                {entry.detail !== undefined && <span className={classes.detail}>{entry.detail}</span>}
              </div>
            ))}
          </div>
        ))}
        {flat.length === 0 && (
          <Text c="dimmed" p="md" ta="center">
            {t.palette.nothing}
          </Text>
        )}
      </div>
      <div className={classes.hints} aria-hidden>
        <span>
          <Kbd size="xs">↑</Kbd> <Kbd size="xs">↓</Kbd> {t.palette.hint}
        </span>
        <span>
          <Kbd size="xs">↵</Kbd> {t.palette.hintOpen}
        </span>
        <span>
          <Kbd size="xs">esc</Kbd> {t.palette.hintClose}
        </span>
      </div>
    </Modal>
  )
}
