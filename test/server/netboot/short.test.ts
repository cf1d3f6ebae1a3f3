/** The system has too little of something: what a process cannot have then, it asks for again, and it serves the rest. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { hangMs } from '../../support/limits.js'
import { until } from '../../support/processes.js'
import { checkout } from '../../support/scratch.js'
import { NetbootSite } from './support.js'

const program = randomBytes(300_000)

function make(t: TestContext): NetbootSite | undefined {
  // As root: a limit of another user's process is not ours to change.
  const place = NetbootSite.make(t, '{mode: proxy, interfaces: [lan0], ipxe_dir: ipxe}', 'user: root')
  if (place === undefined) return undefined
  mkdirSync(join(place.site.dir, 'ipxe'))
  writeFileSync(join(place.site.dir, 'ipxe', 'undionly.kpxe'), program)
  for (const [client, last] of [
    ['greedy', '66'],
    ['honest', '20'],
  ] as const) {
    place.wire.client(client, `52:54:00:00:00:${last}`)
    place.wire.run(client, 'ip', 'address', 'add', `10.77.0.${last}/24`, 'dev', 'eth0')
  }
  return place
}

test('TFTP without descriptors: the address with most transfers makes room for another one', async (t) => {
  const place = make(t)
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const { wire, site } = place
  const server = await place.start()
  const pid = place.ownerOf(69)
  const files = readdirSync(`/proc/${pid}/fd`).length + 24
  wire.server('prlimit', '--pid', String(pid), `--nofile=${files}:${files}`)
  const script = join(checkout, 'dist/test/support/hold-tftp.js')
  const args = ['10.77.0.66', '10.77.0.1', 'undionly.kpxe', '60']
  await place.background(t, 'greedy', process.execPath, script, ...args)
  await server.line('tftp.short')
  await until('requests that found no room', async () =>
    (place.status(server).netboot.services.tftp?.dropped ?? 0) > 0 ? true : undefined,
  )
  const got = join(site.dir, 'got')
  const url = 'tftp://10.77.0.1/undionly.kpxe'
  wire.run('honest', 'curl', '-sS', '--max-time', String(hangMs / 1000), '-o', got, url)
  assert.ok(readFileSync(got).equals(program))
  assert.equal(place.ownerOf(69), pid)
  assert.ok(!server.lines.some(({ event }) => event === 'netboot.exited'))
})

test('DHCP and TFTP without memory: their process ends, is named in log and status, and another one serves', async (t) => {
  const place = make(t)
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const { wire, site } = place
  const server = await place.start()
  const pid = place.ownerOf(69)
  // Less than it has: what it needs now, it does not get.
  wire.server('prlimit', '--pid', String(pid), `--as=${64 << 20}:${64 << 20}`)
  const script = join(checkout, 'dist/test/support/hold-tftp.js')
  const args = ['10.77.0.66', '10.77.0.1', 'undionly.kpxe', '400']
  await place.background(t, 'greedy', process.execPath, script, ...args)
  await server.line('netboot.exited')
  const got = join(site.dir, 'got')
  await until('another process', async () => (place.ownerOf(69) > 0 ? true : undefined))
  const url = 'tftp://10.77.0.1/undionly.kpxe'
  wire.run('honest', 'curl', '-sS', '--max-time', String(hangMs / 1000), '-o', got, url)
  assert.ok(readFileSync(got).equals(program))
  const { running, restarts } = place.status(server).netboot
  assert.deepEqual([running, restarts > 0], [true, true])
})
