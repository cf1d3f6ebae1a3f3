import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createPublicKey, sign, verify, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { connect, createServer } from 'node:tls'
import { ensureIdentity, type Identity } from '../../../server/identity/identity.js'

const NOW = Date.now()
const DAY_MS = 86_400_000

function directory(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'bootswarm-keys-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

const ensure = (dataDir: string, more: { addresses?: string[]; nowMs?: number } = {}): Promise<Identity> =>
  ensureIdentity({ dataDir, site: 'test', addresses: ['10.0.0.1'], nowMs: NOW, ...more })

/** Everything fits together: certificate, its key, the CA, the files that nodes get. */
function assertWhole(dir: string, identity: Identity): void {
  const leaf = new X509Certificate(identity.tls.cert)
  const ca = new X509Certificate(identity.caCertificate)
  assert.ok(leaf.verify(ca.publicKey) && leaf.checkIssued(ca) && ca.verify(ca.publicKey))
  assert.equal(readFileSync(join(dir, 'trust/ca.pem'), 'utf8'), identity.caCertificate)
  const trusted = readFileSync(join(dir, 'trust/manifest.pub'), 'utf8')
  assert.match(trusted, /^[A-Za-z0-9+/]{43}=\n$/)
  const head = Buffer.from('302a300506032b6570032100', 'hex')
  const der = Buffer.concat([head, Buffer.from(trusted, 'base64')])
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
  assert.ok(verify(null, Buffer.from('x'), key, sign(null, Buffer.from('x'), identity.signingKey)))
  assert.deepEqual(['keys', 'trust'].flatMap((sub) => readdirSync(join(dir, sub))).sort(), [
    'ca.key',
    'ca.pem',
    'ca.pem',
    'manifest.key',
    'manifest.pub',
    'server.key',
    'server.pem',
  ])
  for (const name of ['ca.key', 'manifest.key', 'server.key']) {
    assert.equal(statSync(join(dir, 'keys', name)).mode & 0o777, 0o600)
  }
  assert.equal(statSync(join(dir, 'keys')).mode & 0o777, 0o700)
}

test('the first start makes everything, the second nothing', async (t) => {
  const dir = directory(t)
  const first = await ensure(dir)
  assert.deepEqual(first.made, ['signing key', 'ca', 'certificate'])
  assertWhole(dir, first)
  const second = await ensure(dir)
  assert.deepEqual(second.made, [])
  assert.deepEqual(second.tls, first.tls)
})

test('the certificate follows addresses and time, the CA stays', async (t) => {
  const dir = directory(t)
  const first = await ensure(dir)
  const leaf = new X509Certificate(first.tls.cert)
  for (const ip of ['10.0.0.1', '127.0.0.1', '::1']) assert.ok(leaf.checkIP(ip), ip)
  assert.ok(leaf.checkHost('localhost'))
  const moved = await ensure(dir, { addresses: ['10.0.0.2', 'fd00::2'] })
  assert.deepEqual(moved.made, ['certificate'])
  assert.ok(new X509Certificate(moved.tls.cert).checkIP('fd00::2'))
  const addresses = ['10.0.0.2', 'fd00::2']
  const endMs = ({ tls }: Identity) => Date.parse(new X509Certificate(tls.cert).validTo)
  const renewAtMs = endMs(moved) - 60 * DAY_MS
  assert.deepEqual((await ensure(dir, { addresses, nowMs: renewAtMs - 1000 })).made, [])
  const renewed = await ensure(dir, { addresses, nowMs: renewAtMs + 1000 })
  assert.deepEqual(renewed.made, ['certificate'])
  assert.ok(endMs(renewed) > endMs(moved) + 365 * DAY_MS)
  assert.equal(renewed.caCertificate, first.caCertificate)
  assertWhole(dir, renewed)
})

test('a kill between any two writes, or within one, is repaired', async (t) => {
  const order = [
    'keys/manifest.key',
    'keys/ca.key',
    'keys/ca.pem',
    'keys/server.key',
    'keys/server.pem',
    'trust/ca.pem',
    'trust/manifest.pub',
  ]
  for (let done = 0; done <= order.length; done++) {
    const dir = directory(t)
    await ensure(dir)
    const kept = order.slice(0, done).map((file) => readFileSync(join(dir, file), 'utf8'))
    for (const file of order.slice(done)) rmSync(join(dir, file))
    const [sub, name] = (order[done] ?? 'keys/x').split('/')
    writeFileSync(join(dir, sub ?? '', `.${name}.4711.tmp`), '-----BEGIN', { mode: 0o600 })
    assertWhole(dir, await ensure(dir))
    assert.deepEqual(
      order.slice(0, done).map((file) => readFileSync(join(dir, file), 'utf8')),
      kept,
    )
  }
})

test('kill -9 while it works is repaired', async (t) => {
  const dir = directory(t)
  const program = `
    import { ensureIdentity } from ${JSON.stringify(new URL('../../../server/identity/identity.js', import.meta.url).href)}
    for (let i = 0; ; i++) {
      const dataDir = ${JSON.stringify(dir)} + '/' + process.pid + '-' + i
      await ensureIdentity({ dataDir, site: 'test', addresses: ['10.0.0.1'], nowMs: Date.now() })
      console.log(i)
    }`
  for (let lines = 1; lines <= 5; lines++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = once(child, 'exit')
    let seen = 0
    for await (const _ of createInterface(child.stdout)) if (++seen === lines) child.kill('SIGKILL')
    await exited
    assert.equal(child.signalCode, 'SIGKILL')
  }
  const left = readdirSync(dir)
  assert.ok(left.length >= 15)
  for (const name of left) assertWhole(join(dir, name), await ensure(join(dir, name)))
})

test('private keys that others can read are refused', async (t) => {
  const dir = directory(t)
  await ensure(dir)
  for (const name of ['ca.key', 'manifest.key', 'server.key']) {
    const file = join(dir, 'keys', name)
    for (const mode of [0o604, 0o640, 0o660]) {
      chmodSync(file, mode)
      await assert.rejects(ensure(dir), {
        code: 'KEY_PERMISSIONS',
        message: new RegExp(`${name} has mode 0${mode.toString(8)}`),
      })
    }
    chmodSync(file, 0o600)
  }
  assert.deepEqual((await ensure(dir)).made, [])
})

test('a broken private key is named, never replaced', async (t) => {
  const dir = directory(t)
  await ensure(dir)
  const file = join(dir, 'keys/ca.key')
  writeFileSync(file, 'nonsense', { mode: 0o600 })
  await assert.rejects(ensure(dir), { code: 'DATA_DIR_UNUSABLE', message: /ca\.key holds no ec private key/ })
  assert.equal(readFileSync(file, 'utf8'), 'nonsense')
})

test('a CA without its key is not replaced by another', async (t) => {
  const dir = directory(t)
  await ensure(dir)
  rmSync(join(dir, 'keys/ca.key'))
  for (let start = 0; start < 2; start++) {
    await assert.rejects(ensure(dir), { code: 'DATA_DIR_UNUSABLE', message: /ca\.pem has lost its ca\.key/ })
  }
})

test('a data directory that cannot be made', async (t) => {
  const dir = directory(t)
  writeFileSync(join(dir, 'file'), '')
  await assert.rejects(ensure(join(dir, 'file')), { code: 'DATA_DIR_UNUSABLE' })
})

test('a TLS client that trusts the CA alone connects by address; the server sends the leaf only', async (t) => {
  const identity = await ensure(directory(t))
  const server = createServer(identity.tls, (socket) => socket.end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const socket = connect({ host: '127.0.0.1', port, ca: identity.caCertificate })
  await once(socket, 'secureConnect')
  assert.ok(socket.authorized)
  assert.equal(socket.getProtocol(), 'TLSv1.3')
  const leaf = socket.getPeerX509Certificate()
  // A certificate for one address more than these is 6 bytes longer.
  assert.ok(leaf && leaf.raw.length < 410, `${leaf?.raw.length} bytes`)
  socket.end()
})

test('openssl finds nothing to complain about', async (t) => {
  const dir = directory(t)
  await ensure(dir)
  let version: string
  try {
    version = execFileSync('openssl', ['version'], { encoding: 'utf8' })
  } catch {
    t.skip('TOOL_MISSING: openssl (apt-get install openssl)')
    return
  }
  const verified = execFileSync(
    'openssl',
    [
      'verify',
      '-x509_strict',
      '-purpose',
      'sslserver',
      '-verify_ip',
      '10.0.0.1',
      '-CAfile',
      'trust/ca.pem',
      'keys/server.pem',
    ],
    { cwd: dir, encoding: 'utf8' },
  )
  assert.match(verified, /server\.pem: OK/, version)
  const text = execFileSync('openssl', ['x509', '-in', 'keys/server.pem', '-noout', '-text'], {
    cwd: dir,
    encoding: 'utf8',
  })
  for (const part of ['Version: 3', 'prime256v1', 'TLS Web Server Authentication', 'IP Address:10.0.0.1']) {
    assert.ok(text.includes(part), part)
  }
  assert.match(text, /Not Before: Jan {2}1 00:00:00 1970/)
  const purposes = execFileSync('openssl', ['x509', '-in', 'keys/server.pem', '-noout', '-purpose'], {
    cwd: dir,
    encoding: 'utf8',
  })
  assert.match(purposes, /^SSL server : Yes$/m)
  assert.doesNotMatch(purposes, /^SSL .* CA : Yes$/m)
})
