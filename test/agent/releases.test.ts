/** What agents of earlier releases sent (test/vectors/releases): the server of today answers them as they understand it. */
import assert from 'node:assert/strict'
import { createHash, createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openManifest } from '../../src/manifest.js'
import { MANIFEST_DICTIONARY } from '../../src/manifest-coding.js'
import { startServer, until } from '../support/processes.js'
import { checkout, scratch } from '../support/scratch.js'
import { makeSite } from '../support/test-site.js'

interface Recorded {
  readonly manifest_request: {
    readonly target: string
    readonly accept_encoding: string
    /** Of what the coding `bw1` was compressed with. */
    readonly dictionary_sha256: string
  }
  readonly nonce: string
  readonly node: string
  readonly manifest_key: string
  readonly manifest: string
  readonly events: readonly string[]
}

const recorded = JSON.parse(
  readFileSync(join(checkout, 'test/vectors/releases/agent-0.1.0.json'), 'utf8'),
) as Recorded

/** DER of an ed25519 public key (RFC 8410), before its 32 bytes. */
const keyOf = (base64: string) =>
  createPublicKey({
    key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(base64, 'base64')]),
    format: 'der',
    type: 'spki',
  })

/** The names of all members, as paths; what a map is keyed by is not a member that a reader must know. */
function members(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => members(one, `${path}[]`))
  if (typeof value !== 'object' || value === null) return [path]
  if (path === '.settings') return [path]
  return Object.entries(value).flatMap(([name, one]) => members(one, `${path}.${name}`))
}

const json = (body: string) => JSON.parse(body.slice(body.indexOf('\n') + 1)) as unknown

async function start(t: TestContext) {
  const dir = scratch(t)
  makeSite(dir, 3_000_000)
  const server = await startServer(t, dir, ['--settings', '{POOL: "pool.example:3333"}'])
  await until('a version', async () => ((await server.status()).version as number) > 0 || undefined)
  const ca = readFileSync(join(server.dataDir, 'trust', 'ca.pem'))
  const send = (method: string, path: string, headers: Record<string, string>, body = '') =>
    new Promise<{ status: number; coding: string | undefined; body: Buffer }>((resolve, reject) => {
      const outgoing = request(`${server.url}${path}`, { method, ca, agent: false, headers }, (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            coding: response.headers['content-encoding'],
            body: Buffer.concat(parts),
          }),
        )
      })
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  return { server, send }
}

test('an agent of 0.1.0 gets a manifest without members that it would refuse', async (t) => {
  const { server, send } = await start(t)
  const { target, accept_encoding: accepted } = recorded.manifest_request
  const coded = await send('GET', target, { 'Accept-Encoding': accepted })
  assert.deepEqual([coded.status, coded.coding], [200, 'bw1'])
  const dictionary = createHash('sha256').update(MANIFEST_DICTIONARY).digest('hex')
  assert.equal(dictionary, recorded.manifest_request.dictionary_sha256)
  const plain = await send('GET', target, {})
  assert.equal(plain.status, 200)
  const key = readFileSync(join(server.dataDir, 'trust', 'manifest.pub'), 'utf8').trim()
  // With a port and a peer id the peers follow behind the manifest; without, it stands alone.
  const alone = await send('GET', target.replace(/&port=.*/, ''), {})
  openManifest(alone.body, keyOf(key), { nonce: recorded.nonce, node: recorded.node })
  const known = new Set(members(json(recorded.manifest)))
  const strange = members(json(alone.body.toString())).filter((path) => !known.has(path))
  assert.deepEqual(strange, [])
})

test('the events of a whole boot of 0.1.0 are taken, and its node is booted', async (t) => {
  const { server, send } = await start(t)
  const { status } = await send(
    'POST',
    `/v1/nodes/${recorded.node}/events`,
    { 'Content-Type': 'application/json' },
    `[${recorded.events.join(',')}]`,
  )
  assert.equal(status, 204)
  assert.equal(((await server.status()).nodes as { booted: number }).booted, 1)
})

test('the manifest that its server signed is read', () => {
  const expected = { nonce: recorded.nonce, node: recorded.node }
  const manifest = openManifest(Buffer.from(recorded.manifest), keyOf(recorded.manifest_key), expected)
  assert.equal(manifest.artifacts.length, 3)
})
