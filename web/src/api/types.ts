/**
 * The shapes of the HTTP API, by short names. They come from the server's own description (`npm run generate`);
 * only what JSON schema cannot say is said here.
 */
import type { components } from './schema'

type Schemas = components['schemas']

export type Locale = 'en' | 'fr'
export type Theme = 'system' | 'light' | 'dark'

export interface Page<T> {
  items: T[]
  next_cursor: string | null
}

export type Account = Omit<Schemas['AccountBody'], 'locale' | 'theme'> & { locale: Locale; theme: Theme }
export type Session = Omit<Schemas['SessionBody'], 'user'> & { user: Account }
export type Device = Schemas['DeviceBody']
export type Passkey = Schemas['PasskeyBody']
export type SecondFactor = Schemas['SecondFactorBody']
export type Enrolment = Schemas['EnrolmentBody']
export type Key = Schemas['ApiKeyBody']
export type NewKey = Schemas['NewApiKeyBody']
export type User = Schemas['UserBody']
export type Role = Schemas['RoleBody']

export type Balance = Schemas['BalanceBody']
export type Entry = Schemas['EntryBody']
export type DayUsage = Schemas['DayBody']
export type ModelUsage = Schemas['aihub__services__credits__routes__ModelBody']
export type Usage = Schemas['aihub__services__credits__routes__UsageBody']

export type Model = Schemas['aihub__services__gateway__routes__ModelBody']
export type ModelState = Model['state']
export type Provider = Schemas['ProviderBody']
export type ProviderTest = Schemas['TestBody']
export type EmbeddedState = Schemas['EmbeddedBody']
export type ModelFiles = Schemas['FilesBody']
export type ModelFile = Schemas['FileBody']

/** A part of a message in the vocabulary of the Vercel AI UI message stream. */
export interface MessagePart {
  type: string
  [field: string]: unknown
}

export type Conversation = Schemas['ConversationBody']
export type Message = Omit<Schemas['MessageBody'], 'parts'> & { parts: MessagePart[] }
export type Run = Schemas['RunBody']

export interface ConversationDetail {
  conversation: Conversation
  messages: Message[]
  active_run: Run | null
}

export interface Started {
  /** Only a question has one; a regenerated answer keeps its own. */
  user_message?: Message
  assistant_message: Message
  run: Run
}

export type SharedConversation = Omit<Schemas['SharedBody'], 'messages'> & { messages: Message[] }

export type Job = Schemas['JobBody']
export type Setting = Schemas['SettingBody']
