import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { PAGE_FILE, SCHEMA_FILE, schemaText, withTable } from '../../scripts/config-docs.js'
import { configSchema } from '../../src/config.js'
import { configKeys, knownNames } from '../../src/config-keys.js'
import { nearest } from '../../src/spelling.js'
import { fuzzed, outcome } from '../fuzz.js'
import { parseConfig } from '../support/config.js'

const parse = (text: string) => parseConfig({ text, name: 'f.yaml' })

test('docs/config.schema.json and the table of docs/configuration.md are those of the code', () => {
  assert.equal(readFileSync(SCHEMA_FILE, 'utf8'), schemaText(), 'run node dist/scripts/config-docs.js')
  const page = readFileSync(PAGE_FILE, 'utf8')
  assert.equal(page, withTable(page), 'run node dist/scripts/config-docs.js')
})

test('the YAML of the pages about the configuration is valid', () => {
  for (const [page, count] of [
    [PAGE_FILE, 6],
    ['docs/profiles.md', 1],
  ] as const) {
    const found = [...readFileSync(page, 'utf8').matchAll(/```yaml\n(.*?)```/gs)]
    const blocks = found.map((match) => match[1] ?? '')
    assert.equal(blocks.length, count, page)
    for (const block of blocks) parse(block)
  }
})

test('nothing at all is a configuration, and every default is valid', () => {
  assert.deepEqual(parseConfig(undefined), configSchema.parse({}))
  for (const text of ['', '\n# only a comment\n', '---\n', '{}', 'http:\nracks:\nsettings:\n']) {
    assert.deepEqual(parse(text), configSchema.parse({}), JSON.stringify(text))
  }
})

test('every value has a default, a description, and names of its own', () => {
  for (const key of configKeys) {
    assert.notEqual(key.default, undefined, key.name)
    assert.ok(key.description.length > 10, key.name)
  }
  for (const name of ['variable', 'flag', 'name'] as const) {
    assert.equal(new Set(configKeys.map((key) => key[name])).size, configKeys.length)
  }
  assert.ok(configKeys.some((key) => key.variable === 'BOOTSWARM_HTTP_PORT' && key.flag === '--http-port'))
})

test('a mistake is reported with its place and what was expected', () => {
  const cases: [string, string, string][] = [
    [
      'site: a\nhttp:\n  prot: 3',
      'CONFIG_UNKNOWN_KEY',
      'f.yaml:3:3: unknown key http.prot: did you mean port?',
    ],
    ['htp: 1', 'CONFIG_UNKNOWN_KEY', 'f.yaml:1:1: unknown key htp: did you mean http?'],
    ['dataDir: x', 'CONFIG_UNKNOWN_KEY', 'f.yaml:1:1: unknown key dataDir: did you mean data_dir?'],
    [
      'dht: {zebra: 1}',
      'CONFIG_UNKNOWN_KEY',
      'f.yaml:1:7: unknown key dht.zebra: expected one of enabled, port',
    ],
    ['racks: [{nam: x}]', 'CONFIG_UNKNOWN_KEY', 'f.yaml:1:10: unknown key racks.0.nam: did you mean name?'],
    ['https:\n  port: abc', 'CONFIG_INVALID', 'f.yaml:2:9: https.port: expected a number, got "abc"'],
    ['https: {port: 70000}', 'CONFIG_INVALID', 'f.yaml:1:15: https.port: expected at most 65535, got 70000'],
    ['https: {port: 1.5}', 'CONFIG_INVALID', 'f.yaml:1:15: https.port: expected a whole number, got 1.5'],
    ['https: 5', 'CONFIG_INVALID', 'f.yaml:1:8: https: expected keys and values, got 5'],
    ['site: 42', 'CONFIG_INVALID', 'f.yaml:1:7: site: expected text, got 42: put it in quotes'],
    [
      'dht: {enabled: maybe}',
      'CONFIG_INVALID',
      'f.yaml:1:16: dht.enabled: expected true or false, got "maybe"',
    ],
    [
      'log: {format: xml}',
      'CONFIG_INVALID',
      'f.yaml:1:15: log.format: expected one of auto, pretty, json, got "xml"',
    ],
    ['bind: eth0', 'CONFIG_INVALID', 'f.yaml:1:7: bind: expected an IP address, got "eth0"'],
    ['- a', 'CONFIG_INVALID', 'f.yaml:1:1: expected keys and values, got a list'],
    ['racks: [{subnets: []}]', 'CONFIG_INVALID', 'f.yaml:1:9: racks.0.name: is required'],
    ['a: 1\na: 2', 'CONFIG_INVALID', 'f.yaml:2:1: not YAML as expected: Map keys must be unique'],
    ['site: x\n---\nsite: y', 'CONFIG_INVALID', 'f.yaml:2:1: expected one document'],
    ['? [a]\n: 1', 'CONFIG_INVALID', 'f.yaml:1:3: expected a name'],
    ['__proto__: {}', 'CONFIG_INVALID', 'f.yaml:1:1: __proto__ is no name'],
    [
      'nodes: [{match: "a[1-2]", hostname: x}]',
      'CONFIG_INVALID',
      'f.yaml:1:37: nodes.0.hostname: expected {index}, {mac} or {serial} in it for several nodes: a host name belongs to one, got "x"',
    ],
  ]
  for (const [text, code, message] of cases) assert.throws(() => parse(text), { code, message }, text)
})

test('a wrong setting is named, its value is not', () => {
  for (const text of ['settings: {A: "se\\ncret"}', 'settings: {1A: secret}', 'settings: {A: [secret]}']) {
    assert.throws(
      () => parse(text),
      (error: Error & { code: string }) => error.code === 'CONFIG_INVALID' && !error.message.includes('cret'),
      text,
    )
  }
})

test('settings are the text that was written', () => {
  const { settings } = parse(
    'settings:\n  A: 0644\n  B: yes\n  C: 1.10\n  D: "x"\n  E:\n  F: 0x1F\n  G: ~\n  H: true',
  )
  assert.deepEqual(settings, { A: '0644', B: 'yes', C: '1.10', D: 'x', E: '', F: '0x1F', G: '~', H: 'true' })
})

test('ports must differ, wherever they come from', () => {
  assert.throws(() => parse('http: {port: 8443}'), {
    code: 'CONFIG_INVALID',
    message: /expected another than http.port/,
  })
  assert.throws(() => parse('seeder: {port: 8480}'), { code: 'CONFIG_INVALID' })
  assert.equal(
    outcome(() => parse('{http: {port: 0}, https: {port: 0}, seeder: {port: 0}}')),
    'ok',
  )
  const key = configKeys.find(({ name }) => name === 'https.port')
  assert.ok(key)
  const file = { text: 'http: {port: 8443}', name: 'f.yaml' }
  assert.equal(parseConfig(file, [{ key, source: '--https-port', text: '1' }]).https.port, 1)
})

test('bombs: aliases that multiply or refer to themselves, deep nesting, a huge text', () => {
  const laughs = ['a: &a [x,x,x,x,x,x,x,x,x,x]']
  for (const [i, name] of [...'bcdefgh'].entries()) {
    laughs.push(`${name}: &${name} [${new Array(10).fill(`*${'abcdefg'[i]}`).join(',')}]`)
  }
  assert.throws(() => parse(laughs.join('\n')), { code: 'CONFIG_INVALID', message: /at most 100000 values/ })
  assert.throws(() => parse('x: &a [*a]'), { code: 'CONFIG_INVALID', message: /at most 32 levels/ })
  assert.equal(
    outcome(() => parse('['.repeat(50_000))),
    'CONFIG_INVALID',
  )
  assert.equal(
    outcome(() => parse(`${'- '.repeat(50_000)}a`)),
    'CONFIG_INVALID',
  )
  assert.equal(
    outcome(() => parse(`#${' '.repeat(1024 * 1024)}`)),
    'CONFIG_UNREADABLE',
  )
})

test('near misses', () => {
  const names = knownNames([]) ?? []
  assert.equal(nearest('artifact_dir', names), 'artifacts_dir')
  assert.equal(nearest('stie', names), 'site')
  assert.equal(nearest('zzzz', names), undefined)
  assert.deepEqual(knownNames(['racks', 0]), ['name', 'subnets', 'nodes', 'relay_ids', 'behind'])
  assert.equal(knownNames(['settings']), undefined)
})

test('mutations end in a configuration or in a code', () => {
  const text = `site: lab
http: {port: 1}
log:
  level: debug
racks:
  - {name: r, subnets: [10.0.0.0/8], nodes: "a[1-3]"}
settings: &s {A: 0644, B: "x"}
nodes:
  - match: a[1-2]
    settings: *s
`
  const codes = new Set<string>()
  for (const bytes of fuzzed(Buffer.from(text), 6, 3000))
    codes.add(outcome(() => parse(bytes.toString('latin1'))))
  assert.deepEqual([...codes].sort(), ['CONFIG_INVALID', 'CONFIG_UNKNOWN_KEY', 'ok'])
})
