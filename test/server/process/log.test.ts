import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { createLog } from '../../../server/process/log.js'
import { BootswarmError } from '../../../src/errors.js'

function collect(format: 'auto' | 'pretty' | 'json', isTerminal: boolean) {
  const lines: string[] = []
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString())
      done()
    },
  })
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

test('our errors are logged by code, others with their stack', () => {
  const { lines, log } = collect('json', false)
  log.error({ err: new BootswarmError('ARTIFACT_EMPTY', 'x is empty') }, 'left out')
  log.error({ err: new Error('odd') }, 'bug')
  const [known, odd] = lines.map((line) => (JSON.parse(line) as { err: Record<string, string> }).err)
  assert.deepEqual(known, { code: 'ARTIFACT_EMPTY', message: 'x is empty' })
  assert.match(odd?.stack ?? '', /log\.test/)
})
