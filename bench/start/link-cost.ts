/**
 * What one node's start costs the server's link, in bytes: a real agent boots beside a neighbour that has
 * everything, while all traffic on the server's link is counted.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BootswarmError } from '../../src/errors.js'
import { hangMs } from '../agent/measure.js'
import { type Fleet, startFleet } from '../storm/fleet.js'
import { buildNetwork, checkSupport, inside, removeLeftovers } from '../storm/network.js'
import { makePayload } from '../storm/payload.js'
import { type Host, makePlan, type Plan } from '../storm/plan.js'
import { type StormServer, serverUrl, startServer } from '../storm/server.js'
import { shapeOf } from '../storm/shaping.js'
import type { Undo } from '../storm/undo.js'

const counter = fileURLToPath(new URL('../../../bench/start/link_count.py', import.meta.url))
/** Links so fast that nothing queues: a start outside a storm. */
const linkMbit = 100
/** More pieces of 64 KiB than a manifest carries hashes of, so that they have to come from the neighbour. */
const payloadBytes = 20 * 65_536
/** For what follows a node's last report: acknowledgements, and connections that close. */
const settleMs = 1500
const services = ['8443=https', '8480=http', '6881=bittorrent']

/** What one node and one service exchanged. Bytes are those of the wire, with preamble and gap. */
export interface LinkCount {
  readonly service: string
  readonly direction: 'in' | 'out'
  readonly bytes: number
  readonly packets: number
  readonly payload_bytes: number
  readonly repeated_bytes: number
  readonly connections: number
  readonly bare_acks: number
}

/** The start of one node. */
export interface StartCost {
  readonly counts: readonly LinkCount[]
  /** All that the server sent, and all that it was sent. */
  readonly outBytes: number
  readonly inBytes: number
}

/**
 * Boots a neighbour, then the node that is counted.
 *
 * @throws BootswarmError STORM_UNSUPPORTED, STORM_FAILED
 */
export async function measureStart(agent: string, undo: Undo): Promise<StartCost> {
  removeLeftovers()
  checkSupport()
  const directory = mkdtempSync(join(tmpdir(), `bwstorm-${process.pid}-`))
  undo.add(() => rmSync(directory, { recursive: true, force: true }))
  const plan = makePlan({
    runId: `${process.pid}`,
    racks: [{ nodes: 2, behind: undefined }],
    isFlat: true,
    liars: 0,
    isSlow: () => false,
  })
  makePayload(directory, payloadBytes, 1, 'tar')
  const network = await buildNetwork(plan, shapeOf(linkMbit), shapeOf(linkMbit))
  undo.add(() => network.remove())
  const server = await startServer(directory, plan)
  undo.add(() => server.kill())
  const [neighbour, node] = plan.nodes
  if (!neighbour || !node) throw new BootswarmError('STORM_FAILED', 'there are no nodes')
  await boot(neighbour, agent, directory, server.trustDir, undo)
  await heard(server, 1)
  const count = await startCounter(plan, undo)
  await boot(node, agent, directory, server.trustDir, undo)
  await heard(server, 2)
  const counts = (await count()).filter(({ peer }) => peer === node.address)
  const sum = (direction: string) =>
    counts.reduce((bytes, row) => bytes + (row.direction === direction ? row.bytes : 0), 0)
  return { counts: counts.map(({ peer: _, ...row }) => row), outBytes: sum('out'), inBytes: sum('in') }
}

/** Resolves when the server has heard of the ends of so many boots, over HTTPS and at the tracker, and a little later. */
async function heard(server: StormServer, nodes: number): Promise<void> {
  const deadlineMs = performance.now() + hangMs
  for (;;) {
    const { booted, announces } = await server.status()
    // Of each its start, which came with the manifest, and its end.
    if (booted === nodes && announces >= 2 * nodes) break
    if (performance.now() > deadlineMs) {
      throw new BootswarmError(
        'STORM_FAILED',
        `${nodes} nodes have booted, the server heard of ${booted} and ${announces} announces`,
      )
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await new Promise((resolve) => setTimeout(resolve, settleMs))
}

/** Resolves when the node's root is complete; it seeds on. */
async function boot(host: Host, agent: string, directory: string, trust: string, undo: Undo): Promise<Fleet> {
  const target = join(directory, 'roots', host.id)
  mkdirSync(target, { recursive: true })
  const command = [
    ...[agent, 'boot', '--json', '--node', host.id, '--bind', host.address, '--target', target],
    ...['--server', serverUrl, '--trust', trust, '--cmdline', '/dev/null', '--once'],
  ]
  let settle = { resolve: () => {}, reject: (_: Error) => {} }
  const booted = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })
  const fleet = await startFleet([{ host, command, startS: 0 }], directory, join(directory, 'agents.log'), {
    line: (_, line) => {
      if (line.includes('"boot.completed"')) settle.resolve()
    },
    exit: (_, code) => settle.reject(new BootswarmError('STORM_FAILED', `${host.id} ended with ${code}`)),
  })
  undo.add(() => fleet.end())
  fleet.open()
  const limit = setTimeout(
    () => settle.reject(new BootswarmError('STORM_FAILED', `${host.id} did not boot in ${hangMs / 1000} s`)),
    hangMs,
  )
  await booted.finally(() => clearTimeout(limit))
  return fleet
}

/** Counts from now on; the result ends that. */
async function startCounter(
  plan: Plan,
  undo: Undo,
): Promise<() => Promise<(LinkCount & { peer: string })[]>> {
  const [program, args] = inside(plan.serverNamespace, ['/usr/bin/python3', counter, 'eth0', ...services])
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  undo.add(() => {
    child.kill('SIGKILL')
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  let isOver = false
  const ended = once(child, 'close').then(([code]) => {
    if (code !== 0 || !isOver) throw new BootswarmError('STORM_FAILED', `the counter ended with ${code}`)
  })
  await Promise.race([once(child.stdout, 'data'), ended])
  return async () => {
    isOver = true
    child.stdin.end()
    await ended
    return JSON.parse(output.slice(output.indexOf('\n'))) as (LinkCount & { peer: string })[]
  }
}
