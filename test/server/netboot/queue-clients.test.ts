/** Real HTTP clients before the queue of a real server: some that read slowly, and nodes that boot meanwhile. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { promisify } from 'node:util'
import type { Loaded } from '../../support/boot-clients.js'
import { hangMs } from '../../support/limits.js'
import { end, startServer, until } from '../../support/processes.js'
import { checkout, scratch } from '../../support/scratch.js'

const slots = 8
const nodes = 24
/** More than two systems hold between them for a connection: the rest is the reader's to fetch. */
const kernelBytes = 24_000_000

interface Status {
  readonly version: number
  readonly netboot: { readonly queue: Readonly<Record<'overtaken' | 'completed' | 'waiting', number>> }
}

test('as many slow readers as there are slots: nodes of another address boot beside them, and nobody is cut off', async (t) => {
  const directory = scratch(t)
  mkdirSync(join(directory, 'artifacts', 'boot'), { recursive: true })
  writeFileSync(join(directory, 'artifacts/boot/vmlinuz'), randomBytes(kernelBytes))
  writeFileSync(join(directory, 'artifacts/boot/stage1'), randomBytes(100_000))
  const server = await startServer(t, directory)
  const status = async () => (await server.status()) as unknown as Status
  await until('the first version', async () => (await status()).version === 1 || undefined)
  const url = `http://127.0.0.1:${server.ports.http}`
  const script = (name: string) => join(checkout, 'dist/test/support', name)

  const greedy = spawn(process.execPath, [script('slow-readers.js'), url, '127.0.0.66', String(slots)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.after(() => end(greedy, 'SIGKILL'))
  const said = createInterface(greedy.stdout)[Symbol.asyncIterator]()
  assert.equal((await said.next()).value, 'loading')

  const { stdout } = await promisify(execFile)(
    process.execPath,
    [script('boot-clients.js'), url, String(nodes)],
    { timeout: hangMs },
  )
  const loaded = JSON.parse(stdout) as Loaded[]
  t.diagnostic(`the nodes were done after ${loaded[0]?.ms} to ${loaded.at(-1)?.ms} ms`)
  assert.equal(loaded.length, nodes)
  const { overtaken, completed, waiting } = (await status()).netboot.queue
  assert.deepEqual({ overtaken, completed, waiting }, { overtaken: slots, completed: nodes, waiting: 0 })
  greedy.stdin.write('\n')
  assert.equal((await said.next()).value, String(slots), 'their downloads go on')
})
