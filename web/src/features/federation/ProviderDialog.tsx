import { Checkbox, Divider, PasswordInput, TagsInput, Text, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { Problem } from '@/api/client'
import { changeSignInProvider, createSignInProvider, type SignInProvider } from '@/api/federation'
import { useLanguage } from '@/i18n'
import { CopyAction } from '@/ui/CopyAction'
import { FormDialog } from '@/ui/FormDialog'
import { GroupsField, type GroupRow } from './GroupsField'
import classes from './federation.module.css'
import { useProviderWords } from './words'

const SEPARATORS = [',', ' ', ';']

export interface ProviderDialogProps {
  /** Null: a new one. */
  provider: SignInProvider | null
  onSaved: (provider: SignInProvider) => void
  onClose: () => void
}

/** What the hub has to know of a provider, and the one thing that the provider has to know of the hub. */
export function ProviderDialog({ provider, onSaved, onClose }: ProviderDialogProps) {
  const { t } = useLanguage()
  const words = useProviderWords()
  const [name, setName] = useState(provider?.name ?? '')
  const [handle, setHandle] = useState(provider?.handle ?? '')
  const [issuer, setIssuer] = useState(provider?.issuer ?? '')
  const [clientId, setClientId] = useState(provider?.client_id ?? '')
  const [secret, setSecret] = useState('')
  const [scopes, setScopes] = useState(
    (provider?.scopes ?? ['openid', 'profile', 'email']).filter((scope) => scope !== 'openid'),
  )
  const [create, setCreate] = useState(provider?.create_accounts ?? false)
  const [domains, setDomains] = useState(provider?.domains ?? [])
  const [trust, setTrust] = useState(provider?.trust_addresses ?? false)
  const [network, setNetwork] = useState(provider?.allow_private ?? false)
  const [claim, setClaim] = useState(provider?.group_claim ?? '')
  const [groups, setGroups] = useState<GroupRow[]>(provider?.groups ?? [])
  const save = useMutation({
    mutationFn: () => {
      const wish = {
        name: name.trim(),
        client_id: clientId.trim(),
        scopes,
        create_accounts: create,
        domains,
        trust_addresses: trust,
        allow_private: network,
        group_claim: claim.trim(),
        groups: groups
          .filter(({ group, roles }) => group.trim() !== '' && roles.length > 0)
          .map(({ group, roles }) => ({ group: group.trim(), roles })),
        ...(secret === '' ? {} : { client_secret: secret }),
      }
      return provider === null
        ? createSignInProvider({ ...wish, handle: handle.trim(), issuer: issuer.trim() })
        : changeSignInProvider(provider.id, wish)
    },
    onSuccess: onSaved,
  })
  const problem = save.error instanceof Problem ? save.error : null
  const redirect = `${window.location.origin}/api/v1/session/oidc/${handle.trim() || '…'}/callback`
  return (
    <FormDialog
      title={provider === null ? words.add : provider.name}
      action={provider === null ? words.add : t.common.save}
      size={600}
      busy={save.isPending}
      ready={[name, handle, issuer, clientId].every((text) => text.trim() !== '')}
      error={save.error}
      onSubmit={() => save.mutate()}
      onClose={onClose}
    >
      <TextInput
        label={words.name}
        description={words.nameHint}
        placeholder="Example Ltd"
        data-autofocus
        maxLength={100}
        value={name}
        error={problem?.fieldError('name')}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <TextInput
        label={words.handle}
        description={words.handleHint}
        placeholder="example"
        maxLength={40}
        autoCapitalize="none"
        spellCheck={false}
        readOnly={provider !== null}
        value={handle}
        error={problem?.fieldError('handle')}
        onChange={(event) => setHandle(event.currentTarget.value.toLowerCase())}
      />
      <TextInput
        label={words.redirect}
        description={words.redirectHint}
        variant="filled"
        readOnly
        value={redirect}
        classNames={{ input: classes.address ?? '' }}
        rightSection={<CopyAction text={redirect} label={words.copyRedirect} />}
        onFocus={(event) => event.currentTarget.select()}
      />
      <TextInput
        label={words.issuer}
        description={words.issuerHint}
        placeholder="https://login.example.org/realms/team"
        type="url"
        maxLength={500}
        readOnly={provider !== null}
        value={issuer}
        error={problem?.fieldError('issuer')}
        onChange={(event) => setIssuer(event.currentTarget.value)}
      />
      <TextInput
        label={words.clientId}
        maxLength={300}
        autoCapitalize="none"
        autoComplete="off"
        spellCheck={false}
        value={clientId}
        error={problem?.fieldError('client_id')}
        onChange={(event) => setClientId(event.currentTarget.value)}
      />
      <PasswordInput
        label={words.secret}
        description={provider?.has_secret === true ? words.secretKeep : words.secretHint}
        autoComplete="off"
        maxLength={1000}
        visibilityToggleButtonProps={{ 'aria-label': t.common.showPassword, tabIndex: 0 }}
        value={secret}
        error={problem?.fieldError('client_secret')}
        onChange={(event) => setSecret(event.currentTarget.value)}
      />
      <TagsInput
        label={words.scopes}
        description={words.scopesHint}
        splitChars={SEPARATORS}
        value={scopes}
        error={problem?.fieldError('scopes')}
        onChange={setScopes}
      />
      <Checkbox
        label={words.network}
        description={words.networkHint}
        checked={network}
        error={problem?.fieldError('allow_private')}
        onChange={(event) => setNetwork(event.currentTarget.checked)}
      />
      <Divider label={words.people} labelPosition="left" />
      <Checkbox
        label={words.create}
        description={words.createHint}
        checked={create}
        onChange={(event) => setCreate(event.currentTarget.checked)}
      />
      {create && (
        <TagsInput
          label={words.domains}
          description={words.domainsHint}
          placeholder={domains.length === 0 ? 'example.org' : ''}
          splitChars={SEPARATORS}
          value={domains}
          error={problem?.fieldError('domains')}
          onChange={setDomains}
        />
      )}
      <Checkbox
        label={words.trust}
        description={words.trustHint}
        checked={trust}
        onChange={(event) => setTrust(event.currentTarget.checked)}
      />
      <Divider label={words.groups} labelPosition="left" />
      <Text size="sm" c="dimmed">
        {words.groupsHint}
      </Text>
      <TextInput
        label={words.claim}
        description={words.claimHint}
        maxLength={200}
        autoCapitalize="none"
        spellCheck={false}
        value={claim}
        error={problem?.fieldError('group_claim')}
        onChange={(event) => setClaim(event.currentTarget.value)}
      />
      {claim.trim() !== '' && <GroupsField value={groups} onChange={setGroups} />}
    </FormDialog>
  )
}
