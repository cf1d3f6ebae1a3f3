/** `bootswarm node wake` from the command line to the magic packet on the wire, on a network of the test's own. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { magicPacket } from '../../../server/power/magic-packet.js'
import { askApi } from '../../support/operator-api.js'
import { until } from '../../support/processes.js'
import { Wire } from '../../support/wire.js'
import { needsRoot } from './processes.js'
import { type Daemon, Site } from './support.js'

const program = fileURLToPath(new URL('../../../cli/bootswarm.js', import.meta.url))
const mac = (n: number) => `52:54:00:00:00:0${n}`
const boot = '00112233445566aa'

/** What a card would see: the packets that come to UDP port 9 of a machine on the network, as hex. */
const listenerCode = `
const socket = require('node:dgram').createSocket('udp4')
socket.on('message', (packet) => console.log(packet.toString('hex')))
socket.bind(9, () => console.log('ready'))`

interface Place {
  readonly site: Site
  server: Daemon
  /** Packets that have come, as hex. */
  readonly packets: string[]
  cli(...args: string[]): Promise<{ code: number | null; out: string; err: string }>
  /** An agent's first report, from a machine on the network. */
  report(node: string): void
}

async function place(t: TestContext): Promise<Place> {
  const wire = Wire.make(t) ?? assert.fail('needs root')
  wire.client('node', mac(1))
  wire.run('node', 'ip', 'address', 'add', '10.77.0.2/24', 'dev', 'eth0')
  const site = new Site('user: root\nnetboot: {mode: off, interfaces: [lan0]}')
  t.after(() => site.end())
  site.command = [...wire.command('server', ...site.command)]
  const server = site.start()
  await server.line('server.ready')
  const [command = '', ...args] = wire.command('node', process.execPath, '-e', listenerCode)
  const listener = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => listener.kill('SIGKILL'))
  const packets: string[] = []
  const lines = createInterface(listener.stdout)
  await new Promise<void>((resolve) =>
    lines.on('line', (line) => {
      if (line === 'ready') resolve()
      else packets.push(line)
    }),
  )
  const report = (node: string) => {
    const body = [
      { boot, seq: 0, t_ms: 0, type: 'boot.started', data: { agent: '1.0', mem_total_bytes: 1e9 } },
    ]
    const url = `https://10.77.0.1:${server.ports().https}/v1/nodes/${node}/events`
    wire.run('node', 'curl', '-sSfk', '-d', JSON.stringify(body), url)
  }
  return { site, server, packets, cli: (...rest) => runCli(site.dir, rest), report }
}

function runCli(cwd: string, args: readonly string[]) {
  const child = spawn(process.execPath, [program, ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd },
  })
  let [out, err] = ['', '']
  child.stdout.on('data', (part: Buffer) => {
    out += part.toString()
  })
  child.stderr.on('data', (part: Buffer) => {
    err += part.toString()
  })
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, out, err })),
  )
}

test(
  'nodes are woken on their network, and where that cannot be the reason is said',
  needsRoot,
  async (t) => {
    const { server, packets, cli, report } = await place(t)
    for (const id of [mac(1), mac(2), 'rig3']) report(id)
    const dry = await cli('node', 'wake', '--where', 'text=52:54', '--dry-run')
    assert.deepEqual([dry.code, dry.err], [0, ''])
    assert.match(
      dry.out,
      /^would wake 52:54:00:00:00:01 by Wake-on-LAN\n.*02 by Wake-on-LAN\n2 nodes; nothing was done\n$/,
    )
    const woken = await cli('node', 'wake', `${mac(1)},${mac(2)},rig3`, '--batch', '1', '--pause', '0')
    assert.equal(woken.code, 1)
    assert.equal(woken.out, '2 nodes told to wake, 1 failed\n')
    assert.match(woken.err, /^bootswarm: rig3: its MAC address is not known: it has to boot once/m)
    await until('the packets', async () => (packets.length === 6 ? true : undefined))
    assert.deepEqual(
      packets,
      [1, 1, 1, 2, 2, 2].map((n) => magicPacket(mac(n)).toString('hex')),
    )
    const events = await cli('node', 'events', mac(1), '--type', 'power.done')
    assert.match(events.out, / power\.done action=[0-9a-f]{8} kind=wake method=Wake-on-LAN$/m)
    assert.match(
      (await cli('node', 'events', '--type', 'power.failed')).out,
      / rig3 power\.failed .* why="its MAC/,
    )
    assert.match((await cli('node', 'events', '--type', 'action.ended')).out, / done=2 failed=1 left=0$/m)
    assert.match((await cli('audit')).out, / action\.started [0-9a-f]{8} wake 52:54/)
    // It is of no boot.
    const { body } = await askApi({ dataDir: server.dataDir }, 'GET', `/api/v1/nodes/${mac(1)}/why`)
    assert.ok(!body.last.type.startsWith('power.'), body.last.type)
  },
)

test(
  'an action goes on without the one who started it, is stopped, and ends with the server',
  needsRoot,
  async (t) => {
    const one = await place(t)
    for (const n of [1, 2, 3, 4]) one.report(mac(n))
    const start = (nodes: readonly number[]) =>
      askApi({ dataDir: one.server.dataDir }, 'POST', '/api/v1/actions', {
        ...{ kind: 'wake', nodes: nodes.map(mac), batch: 1, pause_s: 3600 },
      })
    const { body } = await start([1, 2])
    const conflict = await one.cli('node', 'wake', mac(2))
    assert.equal(conflict.code, 1)
    assert.match(
      conflict.err,
      new RegExp(`ACTION_CONFLICT: ${mac(2)} is in action ${body.id}, .*action stop`),
    )
    const list = await one.cli('action', 'list')
    assert.match(list.out, new RegExp(`^${body.id} +wake +running +2 +1 +0 `, 'm'))
    const dry = await one.cli('action', 'stop', body.id, '--dry-run')
    assert.match(dry.out, /1 nodes would be left; nothing was changed/)
    assert.match((await one.cli('action', 'stop', body.id)).out, /1 done, 0 failed, 1 left/)
    const follow = await one.cli('action', 'follow', body.id)
    assert.deepEqual(
      [follow.code, follow.out.startsWith('1 node told to wake, 1 left: local')],
      [1, true],
      follow.out,
    )
    assert.equal((await one.cli('action', 'stop', body.id)).code, 1)

    const second = (await start([3, 4])).body
    await one.server.kill('SIGKILL')
    one.server = one.site.start()
    await one.server.line('server.ready')
    const gone = await one.cli('action', 'follow', second.id)
    assert.deepEqual([gone.code, /ACTION_UNKNOWN: .*action\.interrupted/.test(gone.err)], [1, true], gone.err)
    await until('it to be said', async () =>
      (await one.cli('node', 'events', '--type', 'action.interrupted')).out.includes(
        `action=${second.id} kind=wake nodes=2`,
      )
        ? true
        : undefined,
    )
    // Said once.
    await one.server.kill('SIGTERM')
    one.server = one.site.start()
    await one.server.line('server.ready')
    const said = (await one.cli('node', 'events', '--type', 'action.interrupted')).out
    assert.equal(said.trimEnd().split('\n').length, 1, said)
  },
)

test('what is wrong is refused, and looking starts nothing', needsRoot, async (t) => {
  const { server, cli, report } = await place(t)
  report(mac(1))
  const wrong: readonly (readonly [string[], number, RegExp])[] = [
    [['node', 'wake'], 2, /USAGE_INVALID: name NODES/],
    [['node', 'wake', mac(1), '--pause', '5s'], 2, /USAGE_INVALID: --pause goes with --batch/],
    [['node', 'wake', mac(1), '--batch', '0'], 2, /USAGE_INVALID: --batch/],
    [['node', 'wake', mac(1), '--batch', '2', '--pause', 'long'], 2, /USAGE_INVALID: --pause: expected 30s/],
    [['node', 'wake', mac(9)], 1, /1 node not there/],
    [['action', 'stop', 'zz'], 1, /REQUEST_INVALID/],
    [['action', 'follow', '00000000'], 1, /ACTION_UNKNOWN/],
  ]
  for (const [args, code, text] of wrong) {
    const refused = await cli(...args)
    assert.deepEqual([refused.code, text.test(refused.err)], [code, true], refused.err)
  }
  const { dataDir } = server
  const post = (body: object) => askApi({ dataDir }, 'POST', '/api/v1/actions', body)
  for (const [body, code] of [
    [{ kind: 'explode', nodes: [mac(1)] }, 'REQUEST_INVALID'],
    [{ kind: 'wake', nodes: [] }, 'REQUEST_INVALID'],
    [{ kind: 'wake', nodes: [mac(9)] }, 'NODE_UNKNOWN'],
    [{ kind: 'wake', nodes: [mac(1)], pause_s: 1e9 }, 'REQUEST_INVALID'],
  ] as const)
    assert.equal((await post(body)).body.code, code)
  assert.equal((await askApi({ dataDir }, 'GET', '/api/v1/actions')).body.actions.length, 0)
})
