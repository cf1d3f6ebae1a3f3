import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog } from '../../../server/process/log.js'
import { BootswarmError } from '../../../src/errors.js'

function collect(format: 'auto' | 'pretty' | 'json', isTerminal: boolean) {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  return { lines, log: createLog({ level: 'info', format, isTerminal, destination }) }
}

test('one JSON object a line where nobody reads along', () => {
  const { lines, log } = collect('auto', false)
  log.child({ part: 'catalog' }).info({ version: 3 }, 'published')
  log.debug('not logged')
  assert.equal(lines.length, 1)
  const { time, ...rest } = JSON.parse(lines[0] ?? '') as Record<string, unknown>
  assert.deepEqual(rest, { level: 'info', part: 'catalog', version: 3, msg: 'published' })
  assert.match(String(time), /^[0-9]{4}-[0-9]{2}-[0-9]{2}T/)
})

test('words on a terminal', () => {
  const { lines, log } = collect('auto', true)
  log.child({ part: 'catalog' }).info({ version: 3 }, 'published')
  assert.match(lines.join(''), /INFO.*catalog: published.*"version":3/)
  const json = collect('json', true)
  json.log.info('x')
  assert.doesNotThrow(() => JSON.parse(json.lines[0] ?? '') as unknown)
})

test('secrets are never written, in either format', () => {
  for (const format of ['json', 'pretty'] as const) {
    const { lines, log } = collect(format, false)
    log.info({ settings: { POOL_PASSWORD: 'hunter2' } }, 'a')
    log.info({ config: { settings: { A: 'hunter2' } } }, 'b')
    log.info({ manifest: { node: { settings: { A: 'hunter2' } } } }, 'c')
    log.info({ tls: { key: 'hunter2' }, headers: { authorization: 'hunter2' } }, 'd')
    log.info({ config: { nodes: [{ match: 'a', settings: { A: 'hunter2' } }] } }, 'e')
    assert.equal(lines.length, 5)
    assert.ok(!lines.join('').includes('hunter2'), lines.join(''))
  }
})

/** A line feed, a terminal's title, clipboard and screen, an 8-bit CSI, a reversed order, a separator, an invisible one. */
const hostile =
  'x\nbootswarm: forged\r\u001b]0;owned\u0007\u001b]52;c;aGk=\u0007\u001b[2J\u009b31m\u202egnp.exe\u2028{"level":"info"}\u200b'

test('text of others is one printable line in either format, wherever it stands', () => {
  for (const format of ['json', 'pretty'] as const) {
    const { lines, log } = collect(format, false)
    log.info(hostile)
    log.info({ file: hostile, list: [hostile], deep: { deeper: { [hostile]: hostile } } }, hostile)
    log.error({ err: new Error(hostile), error: new BootswarmError('INTERNAL', hostile) }, `about ${hostile}`)
    log
      .child({ part: 'nodes' })
      .warn({ map: new Map([[hostile, hostile]]), bytes: Buffer.from(hostile) }, 'x')
    log.info({ a: 1 }, '100 %s %o')
    assert.equal(lines.length, 5)
    for (const line of lines) {
      assert.doesNotMatch(line.slice(0, -1), /[\p{C}\p{Zl}\p{Zp}]/u)
      assert.ok(line.endsWith('\n'))
    }
    if (format === 'json') for (const line of lines) assert.equal(typeof JSON.parse(line), 'object')
  }
})

test('a fact cannot pass for what the log itself says', () => {
  const { lines, log } = collect('json', false)
  log
    .child({ part: 'nodes' })
    .warn({ level: 'debug', time: 'never', msg: 'forged', part: 'http', pid: 1 }, 'true')
  const [line] = lines
  const { time, ...rest } = JSON.parse(line ?? '') as Record<string, unknown>
  assert.notEqual(time, 'never')
  assert.deepEqual(rest, {
    level: 'warn',
    part: 'nodes',
    _level: 'debug',
    _time: 'never',
    _msg: 'forged',
    _part: 'http',
    pid: 1,
    msg: 'true',
  })
  assert.equal(line?.match(/"(?:level|time|msg|part)":/g)?.length, 4, 'no name is there twice')
})

test('a line stays below what the journal takes for one', () => {
  const long = (character: string) => character.repeat(100_000)
  const many = (value: unknown) =>
    Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`n${n}`, value]))
  const endless: Record<string, unknown> = {}
  endless.self = endless
  for (const facts of [
    { text: long('x') },
    many(long('\u{1f600}')),
    many(long('"')),
    many(long('\u001b')),
    many(many(many(many(many(1))))),
    { list: Array(100_000).fill(long('\\')) },
    { [long('k')]: 1 },
    endless,
  ]) {
    for (const format of ['json', 'pretty'] as const) {
      const { lines, log } = collect(format, false)
      log.info(facts, long('\u{1f600}'))
      assert.equal(lines.length, 1)
      assert.ok(Buffer.byteLength(lines[0] ?? '') < 48 * 1024, `${Buffer.byteLength(lines[0] ?? '')} bytes`)
    }
  }
})

test('our errors are logged by code, others with their stack', () => {
  const { lines, log } = collect('json', false)
  log.error({ err: new BootswarmError('ARTIFACT_EMPTY', 'x is empty') }, 'left out')
  log.error({ err: new Error('odd') }, 'bug')
  const [known, odd] = lines.map((line) => (JSON.parse(line) as { err: Record<string, unknown> }).err)
  assert.deepEqual(known, { code: 'ARTIFACT_EMPTY', message: 'x is empty' })
  assert.match(String(odd?.stack), /^at .*log\.test/)
})
