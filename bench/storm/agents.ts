/** A storm of the real agents: what each node reports of its boot, and its memory at the end. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cpuSeconds, peakMb } from '../agent/measure.js'
import { type Fleet, type Member, startFleet } from './fleet.js'
import type { NodeBoot } from './node-boot.js'
import type { Host, Plan } from './plan.js'
import { round } from './result.js'
import { serverUrl } from './server.js'

/** A running storm of agents. */
export interface AgentStorm {
  readonly boots: readonly NodeBoot[]
  readonly fleet: Fleet
  /** Resolves when every node has booted, was killed or ended. */
  readonly finished: Promise<void>
  kill(boot: NodeBoot): void
}

/** What the agents need. */
export interface AgentStormOptions {
  readonly agent: string
  readonly trustDir: string
  readonly directory: string
  readonly discovery: boolean
  /** A command that ends by executing its arguments: a node's agent is started through it. */
  readonly through?: (host: Host) => readonly string[]
  /** Seconds after the start, by node. */
  readonly startS: (index: number) => number
  /** Called at each node's end of boot, with what is left. */
  readonly onBooted: (boot: NodeBoot, left: number) => void
}

/** Prepares the agents up to the common start. */
export async function startAgents(plan: Plan, options: AgentStormOptions): Promise<AgentStorm> {
  const boots = plan.nodes.map(
    (host, index): NodeBoot => ({
      host,
      startS: options.startS(index),
      fromPeersBytes: 0,
      fromOriginBytes: 0,
      duplicateBytes: 0,
      banned: 0,
      failures: [],
      progress: [],
    }),
  )
  const byId = new Map(boots.map((boot) => [boot.host.id, boot]))
  const roots = join(options.directory, 'roots')
  mkdirSync(roots, { recursive: true })
  const members = boots.map(({ host, startS }): Member => {
    const target = join(roots, host.id)
    mkdirSync(target)
    const who = ['--node', host.id, '--bind', host.address, '--target', target]
    const whom = ['--server', serverUrl, '--trust', options.trustDir, '--cmdline', '/dev/null']
    const discovery = options.discovery ? [] : ['--no-lsd', '--no-dht']
    const through = options.through?.(host) ?? []
    const command = [...through, options.agent, 'boot', '--json', ...who, ...whom, ...discovery]
    return { host, startS, command }
  })
  let left = boots.length
  let finish = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const ended = new Set<NodeBoot>()
  const end = (boot: NodeBoot) => {
    if (ended.has(boot)) return
    ended.add(boot)
    left -= 1
    if (left === 0) finish()
  }
  const fleet = await startFleet(members, options.directory, join(options.directory, 'agents.log'), {
    line: (member, line, atMs) => {
      const boot = byId.get(member.host.id)
      if (!boot) return
      note(boot, line, atMs / 1000)
      if (boot.bootedS === undefined || ended.has(boot)) return
      // The root would take memory that other nodes need; what is seeded is in the agent's memfds.
      rmSync(join(roots, boot.host.id), { recursive: true, force: true })
      end(boot)
      options.onBooted(boot, left)
    },
    exit: (member, code, atMs) => {
      const boot = byId.get(member.host.id)
      if (!boot || ended.has(boot)) return
      if (boot.killedS === undefined)
        boot.failures.push(`ended with ${code} at ${(atMs / 1000).toFixed(1)} s`)
      rmSync(join(roots, boot.host.id), { recursive: true, force: true })
      end(boot)
    },
  })
  return {
    boots,
    fleet,
    finished,
    kill: (boot) => {
      const running = fleet.running.find(({ member }) => member.host === boot.host)
      if (boot.bootedS !== undefined || !running) return
      boot.killedS = fleet.nowMs() / 1000
      running.child.kill('SIGKILL')
    },
  }
}

/** Reads one event of an agent (docs/protocol.md). */
function note(boot: NodeBoot, line: string, atS: number): void {
  let event: { type?: string; t_ms?: number; data?: Record<string, unknown> }
  try {
    event = JSON.parse(line) as typeof event
  } catch {
    boot.failures.push(line.slice(0, 200))
    return
  }
  const data = event.data ?? {}
  switch (event.type) {
    case 'stage1.loaded':
      boot.networkBootMs = {
        dhcp: Number(data.dhcp_ms),
        tftp: Number(data.tftp_ms),
        http: Number(data.http_ms),
      }
      break
    case 'manifest.verified':
      boot.manifestS = atS
      boot.manifestOwnMs = Number(event.t_ms)
      break
    case 'progress':
      boot.progress.push([round(atS, 2), Number(data.done_bytes), Number(data.peers)])
      break
    case 'artifact.downloaded':
      boot.downloadedS = atS
      boot.downloadedOwnMs = Number(event.t_ms)
      boot.fromPeersBytes = Number(data.from_peers_bytes)
      boot.fromOriginBytes = Number(data.from_origin_bytes)
      boot.duplicateBytes = Number(data.duplicate_bytes)
      break
    case 'boot.completed':
      boot.bootedS = atS
      break
    case 'boot.failed':
      boot.failures.push(`${String(data.code)}: ${String(data.message)}`)
      break
    case 'peer.banned':
      boot.banned += 1
      break
  }
}

/**
 * Measures the agents that run: peak resident memory (the payload lies in memfds and is not part of it), processor
 * time, and the segments that their hosts sent twice.
 */
export function measureAgents(storm: AgentStorm): { cpuSeconds: number; retransmits: number } {
  let cpu = 0
  let retransmits = 0
  for (const [index, { child }] of storm.fleet.running.entries()) {
    const boot = storm.boots[index]
    if (!boot || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) continue
    try {
      boot.rssMb = peakMb(child.pid)
      cpu += cpuSeconds(child.pid)
      const tcp = readFileSync(`/proc/${child.pid}/net/snmp`, 'utf8')
        .match(/^Tcp: \d.*$/m)?.[0]
        .split(' ')
      retransmits += Number(tcp?.[12] ?? 0)
    } catch {
      // It has just ended.
    }
  }
  return { cpuSeconds: cpu, retransmits }
}
