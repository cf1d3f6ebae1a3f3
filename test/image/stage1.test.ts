/** `image stage1` from real Debian packages. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { agentPath, root } from '../../host/agent-binary.js'
import { busyboxFromSource } from '../../image/busybox.js'
import { makeStage1 } from '../../image/stage1.js'
import { parseStage1Options } from '../../image/stage1-options.js'
import { wanting } from '../../image/stage1-report.js'
import { readTrust, trustOfServer } from '../../image/trust.js'
import { BootswarmError } from '../../src/errors.js'
import { STAGE1_BUDGET_BYTES } from '../../src/limits.js'

function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'bootswarm-stage1-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

const cache = join(root, '.cache')

/** The packages of the shared cache, and nothing that was compressed before. */
function freshParts(dir: string): string {
  mkdirSync(join(dir, 'cache'))
  for (const name of readdirSync(cache).filter((one) => one !== 'parts')) {
    symlinkSync(join(cache, name), join(dir, 'cache', name))
  }
  return join(dir, 'cache')
}

const make = (out: string, trust: string, ...flags: string[]) =>
  makeStage1(
    parseStage1Options([
      '--agent',
      agentPath(),
      '--trust',
      trust,
      '--out',
      out,
      '--nic',
      'r8169,virtio_net',
      ...flags,
    ]),
  )

test('two builds in different places have the same bytes', async (t) => {
  const [one, two] = [scratch(t), scratch(t)]
  const trust = (await trustOfServer({ dataDir: join(one, 'data'), site: 's', addresses: ['127.0.0.1'] })).dir
  const first = await make(join(one, 'boot'), trust)
  await make(join(two, 'boot'), trust, '--cache', freshParts(two))
  for (const name of ['vmlinuz', 'stage1']) {
    assert.ok(readFileSync(join(one, 'boot', name)).equals(readFileSync(join(two, 'boot', name))), name)
  }
  assert.deepEqual(readdirSync(join(one, 'boot')).sort(), ['stage1', 'vmlinuz'])

  const dry = await make(join(two, 'dry'), trust, '--dry-run')
  assert.equal(dry.stage1.bytes, first.stage1.bytes)
  assert.throws(() => readdirSync(join(two, 'dry')), /ENOENT/)

  // Of a server that was never started.
  const site = join(two, 'site')
  mkdirSync(site)
  writeFileSync(join(site, 'bootswarm.yaml'), 'site: new\n')
  await makeStage1(
    parseStage1Options(['--config', join(site, 'bootswarm.yaml'), '--agent', agentPath(), '--dry-run']),
  )
  assert.deepEqual(readdirSync(site), ['bootswarm.yaml'])

  // What the kernel unpacks, one archive after the other.
  const raw = execFileSync('xz', ['--decompress', '--stdout', join(one, 'boot', 'stage1')], {
    maxBuffer: 1 << 28,
  })
  const text = raw.toString('latin1')
  for (const name of [
    'init',
    'lib/bootswarm/mount-root',
    'etc/bootswarm/ca.pem',
    'etc/bootswarm/manifest.pub',
  ]) {
    assert.ok(text.includes(`${name}\0`), name)
  }
  assert.match(
    text,
    /kernel\/drivers\/net\/ethernet\/realtek\/r8169\.ko: kernel\/drivers\/net\/phy\/realtek\.ko kernel/,
  )
  assert.ok(!text.includes('PRIVATE KEY'))
})

test('missing trust files are told before anything is downloaded or compiled', async (t) => {
  const dir = scratch(t)
  // Neither the mirror nor a cache could give a package here.
  const flags = ['--mirror', 'http://127.0.0.1:9', '--cache', join(dir, 'cache')]
  await assert.rejects(make(join(dir, 'boot'), join(dir, 'nowhere'), ...flags), { code: 'TRUST_MISSING' })
})

test('busybox has every command that the scripts call', async (t) => {
  const source = {
    suite: 'bookworm',
    mirror: 'http://deb.debian.org/debian',
    architecture: 'amd64',
    cacheDir: cache,
  }
  const config = join(root, 'image', 'stage1', 'busybox.config')
  const { data } = await busyboxFromSource(source, config)
  // It goes by the name that it is called by.
  const file = join(scratch(t), 'busybox')
  writeFileSync(file, data, { mode: 0o755 })
  const commands = new Set(execFileSync(file, ['--list']).toString().split('\n'))
  const own = [
    'mount',
    'mkdir',
    'modprobe',
    'ip',
    'udhcpc',
    'cttyhack',
    'setsid',
    'switch_root',
    'losetup',
    'mkswap',
  ]
  const text = [
    'swapon',
    'umount',
    'sed',
    'grep',
    'cat',
    'cut',
    'tr',
    'tail',
    'tee',
    'find',
    'sort',
    'sleep',
    'hostname',
  ]
  const more = ['basename', 'readlink', 'uname', 'sh', 'reboot', 'ps', 'vi', 'ls', 'dmesg', 'ping', 'wget']
  for (const name of [...own, ...text, ...more]) assert.ok(commands.has(name), name)
  for (const name of ['init', 'words', 'network', 'dhcp', 'root', 'mount-root']) {
    execFileSync(file, ['sh', '-n', join(root, 'image', 'stage1', name)])
  }
})

test('trust files are made by the server’s own code where it was never started, and only read where it was', async (t) => {
  const dataDir = join(scratch(t), 'data')
  const owner = { dataDir, site: 's', addresses: ['127.0.0.1'] }
  const made = await trustOfServer(owner)
  assert.deepEqual(await trustOfServer(owner), made)
  assert.match(made.ca, /BEGIN CERTIFICATE/)
  assert.deepEqual(await trustOfServer(owner, true), made)
  writeFileSync(join(made.dir, 'manifest.pub'), 'no key\n')
  for (const dir of [made.dir, join(dataDir, 'none')]) {
    assert.throws(
      () => readTrust(dir),
      (error) => error instanceof BootswarmError && error.code === 'TRUST_MISSING',
    )
  }
})

test('a dry run makes no keys: files of the same form and size stand in for the server’s', async (t) => {
  const dataDir = join(scratch(t), 'data')
  const owner = { dataDir, site: 's', addresses: ['127.0.0.1'] }
  const dry = await trustOfServer(owner, true)
  assert.equal(existsSync(dataDir), false)
  const made = await trustOfServer(owner)
  assert.equal(dry.dir, made.dir)
  assert.equal(dry.manifestKeys.length, made.manifestKeys.length)
  assert.match(dry.manifestKeys, /^[A-Za-z0-9+/]{43}=\n$/)
  assert.equal(new X509Certificate(dry.ca).subject, new X509Certificate(made.ca).subject)
})

test('what is not as it should be is said', () => {
  const info = { depends: [], wants: [], aliases: [], firmware: ['bnx2/x.fw'], vermagic: '' }
  const module = (name: string) => ({ name, path: `${name}.ko`, data: Buffer.alloc(0), info, before: [] })
  assert.deepEqual(wanting({ modules: [module('r8169')], builtin: [] }, STAGE1_BUDGET_BYTES), [])
  const warnings = wanting({ modules: [module('bnx2')], builtin: [] }, STAGE1_BUDGET_BYTES + 1)
  assert.match(warnings.join('\n'), /10\.500 MB together.*\nbnx2 may need firmware.*bnx2\/x\.fw/)
})
