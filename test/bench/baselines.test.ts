import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { httpsFetch, runBaseline, saysSomething } from '../../bench/storm/baselines.js'
import type { StormSite } from '../../bench/storm/storm-site.js'
import { Undo } from '../../bench/storm/undo.js'
import { hangMs } from '../support/limits.js'

test('plain HTTPS comes back when turned away, and goes on where it was cut off', {
  timeout: hangMs,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'bootswarm-https-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const payload = randomBytes(300_000)
  const cutAt = 100_000
  const asked: (string | undefined)[] = []
  const server = createServer((request, response) => {
    asked.push(request.headers.range)
    if (asked.length === 1) return response.writeHead(503).end()
    const start = Number(request.headers.range?.match(/^bytes=(\d+)-$/)?.[1] ?? 0)
    const part =
      start > 0 ? { 'content-range': `bytes ${start}-${payload.length - 1}/${payload.length}` } : {}
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': payload.length - start, ...part })
    if (start > 0) return response.end(payload.subarray(start))
    return response.write(payload.subarray(0, cutAt), () => response.destroy())
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const file = join(directory, 'payload')
  const { port } = server.address() as AddressInfo
  const [program = '', ...args] = httpsFetch(`http://127.0.0.1:${port}/payload`, file, '/nonexistent')
  const [code] = await once(spawn(program, args, { stdio: 'inherit' }), 'exit')
  assert.equal(code, 0)
  assert.ok(readFileSync(file).equals(payload))
  assert.deepEqual(asked, [undefined, undefined, `bytes=${cutAt}-`])
})

test('a baseline that cannot run has failed with the reason, and leaves nothing for the next one', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'bootswarm-baseline-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const site = {
    directory,
    options: { baselineNodes: 0 },
    plan: { nodes: [{ id: 'n1' }, { id: 'n2' }] },
    payload: { file: join(directory, 'nothing.tar'), bytes: 1000 },
  } as unknown as StormSite
  const said: string[] = []
  const result = await runBaseline(site, 'aria2', new Undo(), directory, (line) => said.push(line))
  assert.deepEqual([result.nodes, result.failed, result.last_over_floor, result.valid], [2, 2, null, false])
  assert.match(result.note, /^failed: .*nothing\.tar/)
  assert.match(said.at(-1) ?? '', /^aria2: failed, .*nothing\.tar/)
  assert.deepEqual(readdirSync(directory), [])
})

test('a seeder that dies before its first word is an error with its complaint', async () => {
  const start = (command: string) =>
    saysSomething(spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] }), 'the seeder')
  await assert.rejects(start('echo no module named libtorrent >&2; exit 4'), {
    message: 'the seeder ended with 4: no module named libtorrent',
  })
  await start('echo ready')
})
