import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { helpText, type LoadOptions, loadConfig } from '../../../server/config/load.js'
import { configKeys } from '../../../src/config-keys.js'
import { card, loopback, virtual } from '../../support/interfaces.js'

function directory(t: TestContext, text?: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'bootswarm-config-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  if (text !== undefined) writeFileSync(join(dir, 'bootswarm.yaml'), text)
  return dir
}

const load = (cwd: string, more: Partial<LoadOptions> = {}) =>
  loadConfig({ argv: [], env: {}, interfaces: [], cwd, ...more })

test('flags win over variables, variables over the file, the file over defaults', (t) => {
  const dir = directory(t, 'http: {port: 1}\nhttps: {port: 2}\nseeder: {port: 3}\nsettings: {A: file}\n')
  const { config, file } = load(dir, {
    env: {
      BOOTSWARM_HTTPS_PORT: '12',
      BOOTSWARM_SEEDER_PORT: '13',
      PATH: '/bin',
      BOOTSWARM_SETTINGS: '{A: 0644}',
    },
    argv: ['--seeder-port', '23', '--log-level=debug', '--no-dht-enabled', '--lsd-enabled=false'],
  })
  assert.deepEqual(
    [config.http.port, config.https.port, config.seeder.port, config.dht.port],
    [1, 12, 23, 6881],
  )
  assert.deepEqual([config.log.level, config.dht.enabled, config.lsd.enabled], ['debug', false, false])
  assert.deepEqual(config.settings, { A: '0644' })
  assert.equal(file, join(dir, 'bootswarm.yaml'))
})

test('paths are absolute, from the working directory', (t) => {
  const dir = directory(t)
  const { config, file } = load(dir, { argv: ['--data-dir', 'var/x'] })
  assert.equal(file, undefined)
  assert.deepEqual(
    [config.data_dir, config.artifacts_dir, config.database],
    [join(dir, 'var/x'), join(dir, 'artifacts'), join(dir, 'var/x/bootswarm.sqlite')],
  )
})

test('the address: as configured, else the first that leads to nodes, else loopback', (t) => {
  const dir = directory(t)
  const containers = virtual('br-1', 'a bridge without a network card', '172.17.0.1/16')
  const tunnel = virtual('tailscale0', 'a tunnel', '100.64.0.1/32')
  const interfaces = [loopback, tunnel, containers, card('eth0', '10.0.0.5', 'fe80::1', 'fd00::5')]
  const auto = load(dir, { interfaces })
  assert.equal(auto.config.address, '10.0.0.5')
  assert.deepEqual([...auto.addresses].sort(), [
    '10.0.0.5',
    '100.64.0.1',
    '127.0.0.1',
    '172.17.0.1',
    '::1',
    'fd00::5',
  ])
  assert.equal(load(dir, { interfaces: [loopback, tunnel, containers] }).config.address, '127.0.0.1')
  for (const netboot of [
    '{interfaces: [br-1]}',
    '{mode: full, pools: [{subnet: 172.17.0.0/16, range: 172.17.1.0-172.17.1.9}]}',
  ]) {
    const argv = ['--config', 'own.yaml']
    writeFileSync(join(dir, 'own.yaml'), `netboot: ${netboot}`)
    const { address } = load(dir, { interfaces: [loopback, tunnel, containers], argv }).config
    assert.equal(address, '172.17.0.1', netboot)
  }
  assert.equal(load(dir).config.address, '127.0.0.1')
  const set = load(dir, { interfaces, argv: ['--address', '192.0.2.9'] })
  assert.equal(set.config.address, '192.0.2.9')
  assert.ok(set.addresses.includes('192.0.2.9'))
})

test('a file by name must be there and readable', (t) => {
  const dir = directory(t)
  writeFileSync(join(dir, 'own.yaml'), 'site: own')
  assert.equal(load(dir, { argv: ['--config', 'own.yaml'] }).config.site, 'own')
  assert.equal(load(dir, { env: { BOOTSWARM_CONFIG: 'own.yaml' } }).config.site, 'own')
  assert.throws(() => load(dir, { argv: ['--config', 'none.yaml'] }), {
    code: 'CONFIG_UNREADABLE',
    message: /none\.yaml/,
  })
  assert.throws(() => load(dir, { argv: ['--config', '.'] }), { code: 'CONFIG_UNREADABLE' })
  writeFileSync(join(dir, 'latin1.yaml'), Buffer.from('site: \xff', 'latin1'))
  assert.throws(() => load(dir, { argv: ['--config', 'latin1.yaml'] }), { code: 'CONFIG_UNREADABLE' })
  writeFileSync(join(dir, 'big.yaml'), Buffer.alloc(1024 * 1024 + 1, '#'))
  assert.throws(() => load(dir, { argv: ['--config', 'big.yaml'] }), {
    code: 'CONFIG_UNREADABLE',
    message: /larger/,
  })
})

test('a mistake is reported with the file, the variable or the flag', (t) => {
  const dir = directory(t, 'site: ok\nhttp: {port: 1}\n')
  const cases: [Partial<LoadOptions>, string, string][] = [
    [{ argv: ['--http-port', 'x'] }, 'CONFIG_INVALID', '--http-port: http.port: expected a number, got "x"'],
    [
      { argv: ['--http-port', '-1'] },
      'CONFIG_INVALID',
      '--http-port: http.port: expected at least 0, got -1',
    ],
    [
      { env: { BOOTSWARM_HTTP_PORT: '' } },
      'CONFIG_INVALID',
      'BOOTSWARM_HTTP_PORT: http.port: expected a number, got ""',
    ],
    [
      { env: { BOOTSWARM_DHT_ENABLED: 'maybe' } },
      'CONFIG_INVALID',
      'BOOTSWARM_DHT_ENABLED: dht.enabled: expected true or false, got "maybe"',
    ],
    [
      { env: { BOOTSWARM_HTTP_PROT: '1' } },
      'CONFIG_UNKNOWN_KEY',
      'BOOTSWARM_HTTP_PROT: there is no such variable: did you mean BOOTSWARM_HTTP_PORT?',
    ],
    [
      { argv: ['--racks', '[{name: 5}]'] },
      'CONFIG_INVALID',
      '--racks: racks.0.name: expected text, got 5: put it in quotes',
    ],
    [
      { argv: ['--htp-port', '1'] },
      'USAGE_INVALID',
      'there is no flag --htp-port: did you mean --http-port?',
    ],
    [{ argv: ['--http-port'] }, 'USAGE_INVALID', '--http-port needs a value'],
    [{ argv: ['start'] }, 'USAGE_INVALID', '"start" is no flag'],
    [{ argv: ['--help=1'] }, 'USAGE_INVALID', '--help takes no value'],
  ]
  for (const [more, code, message] of cases) assert.throws(() => load(dir, more), { code, message })
  assert.throws(() => load(directory(t, 'sitee: x')), {
    message: 'bootswarm.yaml:1:1: unknown key sitee: did you mean site?',
  })
})

test('flags and variables of the program itself', (t) => {
  const extraFlags = [
    { name: 'demo', value: 'N', description: 'a demo' },
    { name: 'once', description: 'end after it' },
  ]
  const dir = directory(t)
  const { flags } = load(dir, { argv: ['--demo', '8', '--once', '--help'], extraFlags })
  assert.deepEqual(
    [...flags],
    [
      ['demo', '8'],
      ['once', true],
      ['help', true],
    ],
  )
  assert.throws(() => load(dir, { argv: ['--demo', '8'] }), { code: 'USAGE_INVALID' })
  const env = { BOOTSWARM_AGENT: 'x' }
  assert.throws(() => load(dir, { env }), { code: 'CONFIG_UNKNOWN_KEY' })
  assert.doesNotThrow(() => load(dir, { env, extraVariables: ['BOOTSWARM_AGENT'] }))
})

test('--help names every flag', () => {
  const text = helpText([{ name: 'demo', value: 'N', description: 'a demo' }])
  for (const { flag, description } of configKeys)
    assert.ok(text.includes(`  ${flag}`) && text.includes(description), flag)
  assert.match(text, /--demo N +a demo/)
})

test('--help tells the default of a list as a file would have it', () => {
  assert.match(helpText(), /--stage1-nics .*\(default: \["r8169",.*"virtio_net"\]\)/)
})
