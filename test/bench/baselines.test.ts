import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { httpsFetch } from '../../bench/storm/baselines.js'
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
