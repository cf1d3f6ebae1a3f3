/** Each place where a boot can stop, made to happen on a real server, and told from its timeline. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Sqlite from 'better-sqlite3'
import { timelineTable } from '../../../server/store/timeline.js'
import { type StopCause, whereItStopped } from '../../../server/timeline/where-it-stopped.js'
import { inOrder, type TimelineEvent } from '../../../src/timeline.js'
import { hangMs } from '../../support/limits.js'
import { askApi } from '../../support/operator-api.js'
import { until } from '../../support/processes.js'
import type { MachineScript, MachineStep } from './one-machine.js'
import { NetbootSite } from './support.js'

const run = promisify(execFile)
const later = 3_600_000
const machineFile = fileURLToPath(new URL('./one-machine.js', import.meta.url))
const toProgram = ['discover', 'take an address from 10.77.0.3', 'ask the boot server'] as const
const toScript = [...toProgram, 'load the program', 'ask for a script'] as const

/** A server with a kernel large enough to be broken off, and machines at addresses of their own on one card. */
async function place(t: TestContext, netboot = '') {
  const made = NetbootSite.make(
    t,
    `{mode: proxy, interfaces: [lan0], ipxe_dir: ipxe${netboot}}`,
    'user: nobody',
  )
  if (made === undefined) return undefined
  const { site, wire } = made
  mkdirSync(join(site.dir, 'ipxe', 'x64'), { recursive: true })
  for (const part of ['ipxe', 'ipxe/x64']) chmodSync(join(site.dir, part), 0o755)
  writeFileSync(join(site.dir, 'ipxe', 'x64', 'snponly.efi'), randomBytes(200_000))
  writeFileSync(site.artifact('boot/vmlinuz'), randomBytes(16_000_000))
  writeFileSync(site.artifact('boot/stage1'), randomBytes(100_000))
  wire.client('a', '52:54:00:00:00:01')
  const daemon = await made.start()
  await daemon.line('catalog.published')
  let machines = 0
  const read = <T>(use: (timeline: ReturnType<typeof timelineTable>) => T): T => {
    const db = new Sqlite(join(site.data, 'bootswarm.sqlite'), { readonly: true })
    try {
      return use(timelineTable(db))
    } finally {
      db.close()
    }
  }
  const machine = (...steps: readonly MachineStep[]) => {
    machines += 1
    const number = (16 + machines).toString(16)
    const mac = `52:54:00:00:01:${number}`
    const address = `10.77.0.${16 + machines}`
    wire.run('a', 'ip', 'address', 'add', `${address}/24`, 'dev', 'eth0')
    const script: MachineScript = { mac, address, http: daemon.ports().http, steps }
    const command = [process.execPath, machineFile, JSON.stringify(script)] as const
    return {
      mac,
      run: async () => {
        const [program = '', ...args] = wire.command('a', ...command)
        await run(program, args, { timeout: hangMs })
      },
      /** Its events, once one like this is among them. */
      events: (isIt: (event: TimelineEvent) => boolean) =>
        until<TimelineEvent[]>(`${isIt} of ${mac}`, async () => {
          const events = read((timeline) => timeline.ofMac(mac))
          return events.some(isIt) ? events : undefined
        }),
    }
  }
  return { daemon, wire, machine, read }
}

function stopOf(events: readonly TimelineEvent[], sinceMs: number) {
  return whereItStopped(events, (inOrder(events).at(-1)?.timeMs ?? 0) + sinceMs)
}

const of = (type: string) => (event: TimelineEvent) => event.type === type

/** Where a machine stops that does just this, how its last event is known, and words of the reason. */
const stops: readonly (readonly [
  StopCause,
  readonly MachineStep[],
  (event: TimelineEvent) => boolean,
  RegExp,
])[] = [
  ['DHCP_REFUSED', ['discover as an unknown architecture'], of('dhcp.refused'), /architecture code 99/],
  ['OFFER_NOT_TAKEN', ['discover'], of('dhcp.answered'), /offered/],
  ['OTHER_SERVER_CHOSEN', toProgram.slice(0, 2), ({ data }) => 'other_server' in data, /10\.77\.0\.3/],
  ['PROGRAM_REFUSED', [...toProgram, 'load a program that is not there'], of('program.refused'), /pxelinux/],
  [
    'TFTP_STOPPED_AFTER_SIZE',
    [...toProgram, 'ask for the size of the program'],
    of('program.broken-off'),
    /x64/,
  ],
  [
    'PROGRAM_BROKEN_OFF',
    [...toProgram, 'load a part of the program'],
    of('program.broken-off'),
    /of 200000 bytes/,
  ],
  ['NO_SCRIPT_ASKED', [...toProgram, 'load the program'], of('program.sent'), /snponly/],
  ['KERNEL_NOT_FETCHED', toScript, of('queue.turn'), /did not fetch the kernel/],
  ['BOOT_FILES_BROKEN_OFF', [...toScript, 'load a part of the kernel'], of('kernel.broken-off'), /vmlinuz/],
  ['NO_AGENT', [...toScript, 'load the kernel', 'load stage 1'], of('stage1.sent'), /no agent/],
]

test('where machines stop in network boot', async (t) => {
  const made = await place(t)
  if (made === undefined) return t.skip('NOT TESTED: needs root')
  for (const [cause, steps, isLast, text] of stops) {
    const machine = made.machine(...steps)
    await machine.run()
    const events = await machine.events(isLast)
    const stop = stopOf(events, later)
    assert.equal(stop.cause, cause, `${stop.text}: ${JSON.stringify(events)}`)
    assert.match(stop.text, text)
    assert.equal(new Set(events.map(({ boot }) => boot)).size, 1, 'all of it is one boot')
  }
})

test('operators see machines on their way, by their MACs, and why they stand still', async (t) => {
  const made = await place(t)
  if (made === undefined) return t.skip('NOT TESTED: needs root')
  const get = async (path: string) => {
    const { status, body } = await askApi({ dataDir: made.daemon.dataDir }, 'GET', `/api/v1${path}`)
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }
  const ways: readonly (readonly [string, readonly MachineStep[], (event: TimelineEvent) => boolean])[] = [
    ['dhcp', ['discover as an unknown architecture'], of('dhcp.refused')],
    ['program', [...toProgram, 'load the program'], of('program.sent')],
    ['loading', [...toScript, 'load a part of the kernel'], of('kernel.broken-off')],
    ['starting', [...toScript, 'load the kernel', 'load stage 1'], of('stage1.sent')],
  ]
  const macs: string[] = []
  for (const [state, steps, isLast] of ways) {
    const machine = made.machine(...steps)
    macs.push(machine.mac)
    await machine.run()
    const events = await machine.events(isLast)
    const node = await get(`/nodes/${machine.mac}`)
    assert.deepEqual(
      [node.id, node.mac, node.state, node.boot],
      [machine.mac, machine.mac, state, events[0]?.boot],
    )
  }
  const [refused, , broken, started] = macs
  const { nodes } = await get('/nodes')
  assert.deepEqual(nodes.map(({ id }: { id: string }) => id).sort(), [...macs].sort())
  assert.equal((await get('/status')).nodes.starting, 1)
  const stopped = await get('/nodes?cause=DHCP_REFUSED,BOOT_FILES_BROKEN_OFF')
  assert.deepEqual(
    stopped.nodes.map(({ id, cause }: Record<string, string>) => [id, cause]),
    [
      [refused, 'DHCP_REFUSED'],
      [broken, 'BOOT_FILES_BROKEN_OFF'],
    ],
  )
  const why = await get(`/nodes/${started}/why`)
  assert.deepEqual(
    why.phases.map(({ phase, ended_ms: endedMs }: Record<string, unknown>) => [phase, endedMs === null]),
    [
      ['dhcp', false],
      ['program', false],
      ['queue', false],
      ['files', false],
      ['start', true],
    ],
  )
  const tftp = await get('/events?source=tftp&type=program.sent')
  assert.deepEqual(
    tftp.events.map(({ mac, node }: Record<string, unknown>) => [mac, node]),
    macs.slice(1).map((mac) => [mac, null]),
  )
})

test('machines that wait in the queue', async (t) => {
  const made = await place(t, ', loads_max: 1')
  if (made === undefined) return t.skip('NOT TESTED: needs root')
  const { daemon, machine, read } = made
  // The card needs an address.
  await machine('discover').run()
  // A turn that nobody uses lapses after a second, and the answers are held back for two: most of them wait.
  const macs = Array.from({ length: 8 }, (_, n) => `52:54:00:00:02:0${n}`)
  const urls = macs.map((mac) => `http://10.77.0.1:${daemon.ports().http}/v1/ipxe/script/${mac}?arch=x86_64`)
  const parallel = ['--parallel', '--parallel-immediate', '--parallel-max', '8']
  const [program = '', ...args] = made.wire.command('a', 'curl', '-sS', ...parallel, ...urls)
  await run(program, args, { timeout: hangMs })
  const waiting = await until('one that waits', async () =>
    macs
      .map((mac) => read((timeline) => timeline.ofMac(mac)))
      .find((events) => events.at(-1)?.type === 'queue.waiting'),
  )
  assert.equal(stopOf(waiting, 0).cause, 'IN_QUEUE')
  assert.match(stopOf(waiting, 0).text, /number \d of \d/)
})

test('a machine whose agent reports', async (t) => {
  const made = await place(t)
  if (made === undefined) return t.skip('NOT TESTED: needs root')
  const { daemon, wire, machine, read } = made
  const node = machine(...toScript, 'load the kernel', 'load stage 1')
  await node.run()
  await node.events(of('stage1.sent'))
  const boot = '00112233aabbccdd'
  const report = async (seq: number, type: string, data: object) => {
    const body = JSON.stringify([{ boot, seq, t_ms: seq, type, data }])
    const url = `https://127.0.0.1:${daemon.ports().https}/v1/nodes/${node.mac}/events`
    wire.server('curl', '--silent', '--fail', '--insecure', '--data-binary', body, url)
    // What is acknowledged is there.
    return inOrder(read((timeline) => timeline.ofNode(node.mac)))
  }
  const started = await report(0, 'boot.started', { agent: '0.1.0', mem_total_bytes: 1 })
  assert.equal(stopOf(started, later).cause, 'LOST')
  assert.deepEqual([...new Set(started.map((event) => event.boot))], [boot], 'from the first packet on')
  assert.equal(started[0]?.type, 'dhcp.seen')
  const failed = await report(1, 'boot.failed', { code: 'TARGET_FULL', message: 'no room', retry_in_s: 5 })
  assert.equal(stopOf(failed, later).cause, 'AGENT_FAILED')
  const newer = await report(2, 'fan.stopped', { fans: [1, 2] })
  assert.deepEqual(newer.at(-1)?.data, { fans: [1, 2] })
  const totals = { from_peers_bytes: 1, from_origin_bytes: 1 }
  const booted = await report(3, 'boot.completed', { ...totals, seconds: 1, version: 1 })
  assert.equal(stopOf(booted, later).cause, 'BOOTED')

  await daemon.kill('SIGTERM')
  const own = read((timeline) => timeline.after(0)).filter(({ source }) => source === 'server')
  const types = own.map(({ type }) => type)
  assert.deepEqual(types, ['server.started', 'version.published', 'machine.identified', 'server.stopped'])
})
