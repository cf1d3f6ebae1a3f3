/** `bootswarm node reboot` by an operator's own command, on a real server. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { askApi } from '../../support/operator-api.js'
import { until } from '../../support/processes.js'
import { isAlive } from './processes.js'
import { type Daemon, Site } from './support.js'

const program = fileURLToPath(new URL('../../../cli/bootswarm.js', import.meta.url))
const boot = '00112233445566aa'

interface Place {
  readonly site: Site
  readonly server: Daemon
  /** What the command was called with, a line for each call. */
  calls(): string[]
  cli(...args: string[]): Promise<Run>
}
interface Run {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A server whose nodes are rebooted by a script that notes its words, and then does what `script` says. */
async function place(t: TestContext, script: string, nodes: readonly string[], extra = ''): Promise<Place> {
  const site = new Site()
  t.after(() => site.end())
  const [command, log] = [join(site.dir, 'pdu'), join(site.dir, 'calls')]
  writeFileSync(command, `#!/bin/sh\nprintf '%s\\n' "$*" >> ${log}\n${script}\n`)
  writeFileSync(log, '')
  chmodSync(command, 0o755)
  chmodSync(log, 0o666)
  site.configure(`profiles: {default: {power: {command: [${command}, "{action}", "{name}"]}}}\n${extra}`)
  const server = site.start()
  await server.line('server.ready')
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  t.after(() => agent.destroy())
  const begun = { boot, seq: 0, t_ms: 0, type: 'boot.started', data: { agent: '1.0', mem_total_bytes: 1e9 } }
  await Promise.all(
    nodes.map(async (id) => {
      const { status } = await server.post(`/v1/nodes/${id}/events`, JSON.stringify([begun]), agent)
      assert.ok(status < 300, String(status))
    }),
  )
  const calls = () => readFileSync(log, 'utf8').split('\n').filter(Boolean)
  return { site, server, calls, cli: (...args) => run(site.dir, args) }
}

function run(cwd: string, args: readonly string[]): Promise<Run> {
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
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })))
}

test('a command reboots and wakes; what fails is named, and stops an action that may fail no more', async (t) => {
  const extra = 'nodes: [{match: rig4, hostname: four}]'
  const script = '[ "$2" != rig2 ] || { echo "outlet 2 is off" >&2; exit 1; }'
  const { calls, cli } = await place(t, script, ['rig1', 'rig2', 'rig3', 'rig4'], extra)
  const dry = await cli('node', 'reboot', 'rig[1-4]', '--dry-run')
  assert.match(dry.out, /^would reboot rig1 by command \S+\/pdu$/m)
  assert.deepEqual([dry.code, calls()], [0, []])
  const all = await cli('node', 'reboot', 'rig[1-4]', '--json')
  assert.deepEqual([all.code, /^bootswarm: rig2: exit code 1: outlet 2 is off$/m.test(all.err)], [1, true])
  assert.deepEqual([JSON.parse(all.out).done, JSON.parse(all.out).failed], [3, 1])
  assert.deepEqual(calls().sort(), ['reboot four', 'reboot rig1', 'reboot rig2', 'reboot rig3'])
  const few = await cli('node', 'reboot', 'rig[1-4]', '--batch', '1', '--max-failures', '1')
  assert.deepEqual([few.code, few.out], [1, '1 node told to reboot, 1 failed, 2 left: 1 failed\n'])
  const woken = await cli('node', 'wake', 'rig1')
  assert.deepEqual([woken.code, woken.out, calls().at(-1)], [0, '1 node told to wake\n', 'wake rig1'])
  const events = await cli('node', 'events', 'rig2', '--type', 'power.failed')
  assert.match(
    events.out,
    / power\.failed action=\S+ kind=reboot method="command .*" why="exit code 1: outlet 2 is off"/,
  )
  const shown = await cli('node', 'show', 'rig1')
  assert.match(
    shown.out,
    /^power +command \S+pdu \{action\} \{name\} +profile default \(every node\) +\S+site\.yaml:/m,
  )
})

test('nodes without a way are named, and SIGHUP brings one', async (t) => {
  const { site, server, cli } = await place(t, '', ['rig1'])
  site.configure('')
  server.signal('SIGHUP')
  await server.line('server.reloaded')
  for (const args of [['--dry-run'], []]) {
    const none = await cli('node', 'reboot', 'rig1', ...args)
    assert.deepEqual(
      [none.code, /rig1: nothing says how it is rebooted: set `power`/.test(none.err)],
      [1, true],
    )
  }
  site.configure('nodes: [{match: rig1, power: {command: [/bin/true]}}]')
  server.signal('SIGHUP')
  await until('the other way', async () =>
    (await cli('node', 'reboot', 'rig1')).code === 0 ? true : undefined,
  )
})

test('500 nodes, whose commands print megabytes, are all rebooted', async (t) => {
  const nodes = Array.from({ length: 500 }, (_, n) => `rig${String(n).padStart(3, '0')}`)
  const { calls, cli, server } = await place(t, 'head -c 1000000 /dev/zero', nodes)
  const { code, out } = await cli('node', 'reboot', 'rig[000-499]')
  assert.deepEqual([code, out], [0, '500 nodes told to reboot\n'])
  assert.deepEqual(
    calls().sort(),
    nodes.map((name) => `reboot ${name}`),
  )
  const { body } = await askApi({ dataDir: server.dataDir }, 'GET', '/api/v1/status')
  assert.deepEqual(body.failing, [])
})

test('Ctrl-C ends the command and leaves the action, whose command the server takes with it', async (t) => {
  const hangs = 'echo "pid $$" >> "$(dirname "$0")/calls"; exec sleep 1000'
  const { site, server, cli, calls } = await place(t, hangs, ['rig1'])
  const child = spawn(process.execPath, [program, 'node', 'reboot', 'rig1'], {
    ...{ cwd: site.dir, stdio: ['ignore', 'ignore', 'pipe'] },
  })
  t.after(() => child.kill('SIGKILL'))
  let err = ''
  child.stderr?.on('data', (part: Buffer) => {
    err += part.toString()
  })
  const closed = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)))
  const id = await until('the action', async () => /action (\S+) runs on the server/.exec(err)?.[1])
  const pid = await until('its process', async () => /^pid (\d+)$/.exec(calls()[1] ?? '')?.[1])
  child.kill('SIGINT')
  assert.equal(await closed, 130)
  assert.match(err, new RegExp(`\nbootswarm: action ${id} goes on: bootswarm action follow ${id} shows it`))
  const again = await cli('node', 'reboot', 'rig1')
  assert.deepEqual([again.code, /ACTION_CONFLICT/.test(again.err)], [1, true])
  assert.ok(isAlive(Number(pid)))
  await server.kill('SIGTERM')
  await until('its process to be gone', async () => (isAlive(Number(pid)) ? undefined : true))
})
