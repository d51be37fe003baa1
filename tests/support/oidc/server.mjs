// A real OpenID Connect provider on loopback, for tests: `node server.mjs PORT`.
//
// People sign in with a name and no password. What the provider says of them, which clients it knows and
// which keys it signs with is set by POST /test/{people,clients,keys}.

import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'

const port = Number(process.argv[2])
const issuer = `http://127.0.0.1:${port}`
const people = new Map()
const clients = []
let keys = [newKey()]
let provider = build()

function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' }
}

function build() {
  return new Provider(issuer, {
    clients,
    jwks: { keys },
    cookies: { keys: ['for tests'] },
    pkce: { required: () => true },
    claims: {
      openid: ['sub', 'amr'],
      email: ['email', 'email_verified'],
      profile: ['name'],
      groups: ['groups'],
    },
    scopes: ['openid', 'email', 'profile', 'groups'],
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    ttl: {
      AccessToken: 600,
      AuthorizationCode: 60,
      Grant: 3600,
      IdToken: 600,
      Interaction: 600,
      Session: 3600,
    },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...people.get(sub)?.claims }) }),
    // Everything that a client asks for is allowed without a question.
    loadExistingGrant: async (ctx) => {
      const { oidc } = ctx
      const grant = new oidc.provider.Grant({
        clientId: oidc.client.clientId,
        accountId: oidc.session.accountId,
      })
      grant.addOIDCScope('openid email profile groups')
      await grant.save()
      return grant
    },
  })
}

async function read(request) {
  let text = ''
  for await (const piece of request) text += piece
  return text
}

const page = (uid) => `<!doctype html><html lang="en"><title>Test provider</title>
<h1>Test provider</h1>
<form method="post" action="/interaction/${uid}">
<label>Name <input name="login" autofocus></label> <button name="do" value="enter">Enter</button>
<button name="do" value="stop">Stop</button>
</form></html>`

async function interact(request, response, uid) {
  if (request.method === 'GET') {
    await provider.interactionDetails(request, response)
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(page(uid))
    return
  }
  const form = new URLSearchParams(await read(request))
  const login = form.get('login')
  const result =
    form.get('do') === 'stop'
      ? { error: 'access_denied' }
      : { login: { accountId: login, amr: people.get(login)?.amr ?? ['pwd'] } }
  await provider.interactionFinished(request, response, result)
}

async function arrange(request, response, what) {
  const wish = JSON.parse((await read(request)) || '{}')
  if (what === 'people') people.set(wish.name, wish)
  if (what === 'clients') clients.push(wish)
  if (what === 'keys') keys = [newKey()]
  if (what !== 'people') provider = build()
  response.end('{}')
}

const server = createServer((request, response) => {
  const [, first, second] = new URL(request.url, issuer).pathname.split('/')
  const done =
    first === 'test'
      ? arrange(request, response, second)
      : first === 'interaction'
        ? interact(request, response, second)
        : provider.callback()(request, response)
  Promise.resolve(done).catch((failure) => {
    response.statusCode = 500
    response.end(String(failure))
  })
})
server.listen(port, '127.0.0.1', () => console.log('ready'))
