import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { hangMs } from '../../support/limits.js'

const script = `
const { createSeeder } = await import(process.argv[1] + '/seeder.js')
const { createDhtNode } = await import(process.argv[1] + '/dht.js')
const seeder = createSeeder({ port: 0, rackOf: () => '' })
const dht = createDhtNode({ port: 0 })
await Promise.all([seeder.start(), dht.start()])
console.log(seeder.pid + ' ' + dht.pid)
`

/** A process that has ended and is only waited for counts as gone. */
async function isGone(pid: number): Promise<boolean> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return stat.split(') ')[1]?.startsWith('Z') ?? true
  } catch {
    return true
  }
}

test('a daemon that is killed leaves no process behind', { timeout: hangMs }, async (t) => {
  const directory = new URL('../../../server/swarm', import.meta.url).pathname
  const args = ['--input-type=module', '-e', script, directory]
  const daemon = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => daemon.kill('SIGKILL'))
  const [line] = (await once(daemon.stdout, 'data')) as [Buffer]
  const pids = String(line).trim().split(' ').map(Number)
  assert.equal(pids.length, 2)
  for (const pid of pids) assert.equal(await isGone(pid), false)
  daemon.kill('SIGKILL')
  for (const pid of pids) while (!(await isGone(pid))) await new Promise((resolve) => setImmediate(resolve))
})
