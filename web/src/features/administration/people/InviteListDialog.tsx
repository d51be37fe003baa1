import { Box, Button, FileButton, Group, Modal, Progress, Select, Stack, Text, Textarea } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { IconFileSpreadsheet } from '@tabler/icons-react'
import { useState } from 'react'
import { idempotencyKey } from '@/api/client'
import { inviteGuests, previewGuests, type Guest } from '@/api/people'
import type { Locale } from '@/api/types'
import { useLanguage } from '@/i18n'
import { DataTable, type Column } from '@/ui/DataTable'
import { ErrorPanel } from '@/ui/ErrorPanel'
import { Status } from '@/ui/Status'
import { useDroppedFiles } from '@/ui/useDroppedFiles'
import { asCsv, CHUNK, LARGEST_FILE, problemsFirst, save } from './guests'
import classes from './people.module.css'
import { usePeopleWords } from './words'

/** A list of people becomes invitations: first a look at what would happen, then the letters. */
export function InviteListDialog({ onClose }: { onClose: () => void }) {
  const { t, locale } = useLanguage()
  const w = usePeopleWords()
  const [language, setLanguage] = useState<Locale>(locale)
  const look = useMutation({ mutationFn: (csv: string) => previewGuests(csv, language) })
  return (
    <Modal
      opened
      onClose={onClose}
      size={760}
      title={w.guests.title}
      closeOnClickOutside={false}
      closeButtonProps={{ 'aria-label': t.common.close }}
    >
      {look.data === undefined ? (
        <Stack gap="md">
          <Text c="dimmed">{w.guests.lead}</Text>
          <ListField busy={look.isPending} onList={(csv) => look.mutate(csv)} />
          <Select
            label={w.guests.language}
            allowDeselect={false}
            data={[
              { value: 'en', label: 'English' },
              { value: 'fr', label: 'Français' },
            ]}
            value={language}
            onChange={(value) => setLanguage(value ?? 'en')}
          />
          {look.error !== null && <ErrorPanel error={look.error} compact />}
        </Stack>
      ) : (
        <GuestList first={look.data.items} language={language} onBack={look.reset} onClose={onClose} />
      )}
    </Modal>
  )
}

function ListField({ busy, onList }: { busy: boolean; onList: (csv: string) => void }) {
  const w = usePeopleWords()
  const [pasted, setPasted] = useState('')
  const [tooLarge, setTooLarge] = useState(false)
  const take = async (file: File | null | undefined) => {
    if (file === null || file === undefined) return
    setTooLarge(file.size > LARGEST_FILE)
    if (file.size <= LARGEST_FILE) onList(await textOf(file))
  }
  const over = useDroppedFiles((files) => void take(files[0]))
  return (
    <>
      <div className={classes.drop} data-over={over}>
        <IconFileSpreadsheet size={22} aria-hidden />
        <Text c="dimmed">{w.guests.drop}</Text>
        <FileButton accept=".csv,.txt,.tsv,text/csv" onChange={(file) => void take(file)}>
          {(props) => (
            <Button variant="default" loading={busy} {...props}>
              {w.guests.choose}
            </Button>
          )}
        </FileButton>
        {tooLarge && (
          <Text size="sm" c="var(--hub-bad)" role="alert">
            {w.guests.tooLarge}
          </Text>
        )}
      </div>
      <Textarea
        label={w.guests.paste}
        placeholder={w.guests.placeholder}
        autosize
        minRows={3}
        maxRows={10}
        spellCheck={false}
        value={pasted}
        onChange={(event) => setPasted(event.currentTarget.value)}
      />
      <Group justify="flex-end">
        <Button disabled={pasted.trim() === ''} loading={busy} onClick={() => onList(pasted)}>
          {w.guests.look}
        </Button>
      </Group>
    </>
  )
}

async function textOf(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer())
  const wide = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : null
  return new TextDecoder(wide ?? 'utf-8').decode(bytes)
}

const TONES = { wrong: 'bad', invite: 'ok', sent: 'ok', account: 'off', invited: 'off' } as const

interface GuestListProps {
  first: Guest[]
  language: Locale
  onBack: () => void
  onClose: () => void
}

function GuestList({ first, language, onBack, onClose }: GuestListProps) {
  const { t } = useLanguage()
  const w = usePeopleWords()
  const client = useQueryClient()
  const [guests, setGuests] = useState(first)
  // One for the whole list, so that a request which is sent again after a failure is not done twice.
  const [key] = useState(idempotencyKey)
  const [done, setDone] = useState<number | null>(null)
  const [began] = useState(() => first.filter(({ outcome }) => outcome === 'invite').length)
  const invite = useMutation({
    mutationFn: async () => {
      const wanted = first.filter(({ outcome }) => outcome === 'invite')
      setDone(0)
      for (let at = 0; at < wanted.length; at += CHUNK) {
        const { items } = await inviteGuests(wanted.slice(at, at + CHUNK), language, `${key}-${at}`)
        const results = new Map(items.map((guest) => [guest.line, guest]))
        setGuests((before) => before.map((guest) => results.get(guest.line) ?? guest))
        setDone(at + items.length)
      }
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['invitations'] }),
  })
  const count = (...outcomes: Guest['outcome'][]) => guests.filter(({ outcome }) => outcomes.includes(outcome)).length
  const waiting = count('invite')
  const failed = guests.filter(({ outcome }) => outcome !== 'sent')
  const why = (guest: Guest) =>
    guest.problems.map(({ code, message }) => w.guests.problems[code] ?? message).join('; ')
  const told = (guest: Guest) => (
    <>
      <Status tone={TONES[guest.outcome]}>{w.guests.outcomes[guest.outcome]}</Status>
      {guest.problems.length > 0 && (
        <Text size="xs" c="dimmed">
          {why(guest)}
        </Text>
      )}
    </>
  )
  const columns: Column<Guest>[] = [
    { key: 'line', header: w.guests.line, numeric: true, width: '64px', cell: ({ line }) => line },
    {
      key: 'person',
      header: w.guests.person,
      cell: (guest) => (
        <>
          <Text size="sm" fw={500} style={{ overflowWrap: 'anywhere' }}>
            {guest.email}
          </Text>
          <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
            {[guest.name, guest.roles.map((role) => t.roles[role] ?? role).join(', ')].filter(Boolean).join(' · ')}
          </Text>
          <Box hiddenFrom="sm">{told(guest)}</Box>
        </>
      ),
    },
    { key: 'outcome', header: w.guests.outcome, wide: true, cell: told },
  ]
  const download = () =>
    save(
      asCsv(
        ['line', 'e-mail', 'name', 'roles', 'locale', 'why'],
        failed.map((guest) => [
          String(guest.line),
          guest.email,
          guest.name,
          guest.roles.join('|'),
          guest.locale,
          [w.guests.outcomes[guest.outcome], why(guest)].filter(Boolean).join(': '),
        ]),
      ),
      'not-invited.csv',
    )
  return (
    <Stack gap="md">
      <Text fw={500} role="status">
        {invite.isSuccess
          ? [w.guests.done(count('sent')), ...(failed.length > 0 ? [w.guests.rest(failed.length)] : [])].join(' · ')
          : w.guests.counts(waiting, count('account', 'invited'), count('wrong'))}
      </Text>
      {done !== null && !invite.isSuccess && (
        <Progress.Root size="xl" aria-label={w.guests.progress(done, began)}>
          <Progress.Section value={(100 * done) / Math.max(1, began)} aria-label={w.guests.progress(done, began)}>
            <Progress.Label>{w.guests.progress(done, began)}</Progress.Label>
          </Progress.Section>
        </Progress.Root>
      )}
      {/* A long list scrolls inside, and a keyboard must be able to scroll it. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div style={{ maxHeight: '50vh', overflowY: 'auto' }} tabIndex={0} role="group" aria-label={w.guests.outcome}>
        <DataTable
          label={w.guests.title}
          columns={columns}
          rows={problemsFirst(guests)}
          rowKey={({ line }) => String(line)}
          empty={null}
        />
      </div>
      {invite.error !== null && <ErrorPanel error={invite.error} compact />}
      <Group justify="flex-end" gap="xs">
        {done === null && (
          <Button variant="default" onClick={onBack}>
            {w.guests.back}
          </Button>
        )}
        {failed.length > 0 && (done !== null || waiting === 0) && !invite.isPending && (
          <Button variant="default" onClick={download}>
            {w.guests.download}
          </Button>
        )}
        {invite.isSuccess ? (
          <Button onClick={onClose}>{t.common.close}</Button>
        ) : (
          <Button disabled={waiting === 0} loading={invite.isPending} onClick={() => invite.mutate()}>
            {invite.isError ? w.guests.again : w.guests.invite(waiting)}
          </Button>
        )}
      </Group>
    </Stack>
  )
}
