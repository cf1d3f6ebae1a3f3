/** Builds the planned site out of network namespaces, counts on its links, and takes it away again. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BootswarmError } from '../../src/errors.js'
import {
  hostLinks,
  hostsOf,
  NAMESPACE_PREFIX,
  namespaces,
  neighbours,
  type Plan,
  SERVER_ADDRESS,
  siteLinks,
  siteShapes,
} from './plan.js'
import { MIN_TSO_SEGMENTS, rtoMinUs, type Shape, tbf } from './shaping.js'

/** Where `ip netns` keeps its names. */
const NETNS_DIR = '/run/netns'

/**
 * What every Linux node comes with. Where the machine that runs the bench has BBR as its default, hundreds of paced
 * sockets would cost most of its processor time in timers, one for each segment. Such a machine may keep CUBIC from
 * namespaces; on links without distance Reno behaves the same.
 */
const HOST_SYSCTLS: readonly (readonly [string, string])[] = [
  ['net/ipv4/tcp_congestion_control', 'reno'],
  ['net/ipv4/tcp_congestion_control', 'cubic'],
  ['net/ipv4/tcp_min_tso_segs', String(MIN_TSO_SEGMENTS)],
  // A loss probe goes after 8 ms more than twice the round trip, four times what a full queue takes at 1 Gbit/s. On a
  // scaled-down link a queue takes a second, and nearly all that was sent again had been probes of what only waited.
  ['net/ipv4/tcp_early_retrans', '0'],
]
/** Frames between bridge ports do not pass through the firewall. */
const SITE_SYSCTLS: readonly (readonly [string, string])[] = [
  ['net/bridge/bridge-nf-call-iptables', '0'],
  ['net/bridge/bridge-nf-call-arptables', '0'],
]

/** Bytes through one end of a link since it was made. */
export interface LinkCount {
  readonly rxBytes: number
  readonly txBytes: number
}

/** A built site. */
export interface Network {
  /** What the bridges' ports have seen, by their names: `rx` came from the host or the uplink, `tx` went to it. */
  counts(): Map<string, LinkCount>
  /** Bytes as the buckets count them, all headers included, that the site's ports have sent, by port. */
  shapedBytes(): Map<string, { bytes: number; drops: number }>
  remove(): void
}

/** A command that runs inside a namespace (without the mounts that `ip netns exec` makes). */
export function inside(namespace: string, command: readonly string[]): [string, string[]] {
  return ['nsenter', [`--net=${join(NETNS_DIR, namespace)}`, '--', ...command]]
}

/** The same for a server: in a farm it is a machine of its own, and does not wait for a processor behind 500 nodes. */
export function insideServer(namespace: string, command: readonly string[]): [string, string[]] {
  return inside(namespace, ['nice', '-n', '-10', ...command])
}

/**
 * Reports what a storm needs and this machine lacks.
 * @throws {BootswarmError} STORM_UNSUPPORTED
 */
export function checkSupport(): void {
  const refuse = (why: string): never => {
    throw new BootswarmError('STORM_UNSUPPORTED', why)
  }
  if (process.platform !== 'linux') refuse('a storm needs Linux')
  if (process.getuid?.() !== 0) refuse('a storm needs root: it makes network namespaces')
  const name = `${NAMESPACE_PREFIX}${process.pid}-try`
  try {
    const namespace = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' })
    if (namespace.status !== 0) refuse(`no network namespaces here: ${namespace.stderr.trim()}`)
    const steps: [string, string[]][] = [
      ['veth pairs', ['ip', '-n', name, 'link', 'add', 'name', 'va', 'type', 'veth', 'peer', 'name', 'vb']],
      ['bridges', ['ip', '-n', name, 'link', 'add', 'name', 'br0', 'type', 'bridge']],
      [
        'token buckets (sch_tbf)',
        `tc -n ${name} qdisc add dev va root tbf rate 8mbit burst 20000 limit 65536`.split(' '),
      ],
    ].map(([what, command]) => [what as string, command as string[]])
    for (const [what, [program = '', ...args]] of steps) {
      const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
      if (status !== 0) refuse(`this kernel has no ${what}: ${stderr.trim()}`)
    }
  } finally {
    spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' })
  }
}

/** Removes the namespaces of storms whose bench is gone, with the processes in them. */
export function removeLeftovers(): void {
  for (const [pid, names] of byOwner()) {
    if (pid !== process.pid && !existsSync(`/proc/${pid}`)) removeNamespaces(names)
  }
}

function byOwner(): Map<number, string[]> {
  const owners = new Map<number, string[]>()
  for (const name of existsSync(NETNS_DIR) ? readdirSync(NETNS_DIR) : []) {
    const match = new RegExp(`^${NAMESPACE_PREFIX}(\\d+)[a-z]?-`).exec(name)
    if (match) owners.set(Number(match[1]), [...(owners.get(Number(match[1])) ?? []), name])
  }
  return owners
}

/** Ends all processes inside, then the namespaces; their links and bridges go with them. */
export function removeNamespaces(names: readonly string[]): void {
  for (const pid of processesIn(names)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
  spawnSync('ip', ['-force', '-batch', '-'], {
    input: names.map((name) => `netns del ${name}\n`).join(''),
    stdio: ['pipe', 'ignore', 'ignore'],
  })
}

/** One look through /proc for all namespaces: `ip netns pids` would take one for each. */
function processesIn(names: readonly string[]): number[] {
  const spaces = new Set(names.map((name) => `net:[${inode(join(NETNS_DIR, name))}]`))
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.filter((pid) => spaces.has(namespaceOf(pid))).map(Number)
}

function inode(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? 0
}

function namespaceOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`)
  } catch {
    return '' // it has ended
  }
}

/**
 * Builds the site.
 * @throws {BootswarmError} STORM_FAILED; what was built is removed then.
 */
export async function buildNetwork(plan: Plan, full: Shape, slow: Shape): Promise<Network> {
  const holder = { pid: 0 }
  const network: Network = {
    counts: () => parseCounts(readFileSync(`/proc/${holder.pid}/net/dev`, 'utf8')),
    shapedBytes: () => shaped(plan.siteNamespace),
    remove: () => removeNamespaces(namespaces(plan)),
  }
  try {
    batch(
      'ip',
      [],
      namespaces(plan).map((name) => `netns add ${name}`),
    )
    batch('ip', ['-n', plan.siteNamespace], siteLinks(plan))
    batch('tc', ['-n', plan.siteNamespace], siteShapes(plan, full, slow))
    const everybody = neighbours(plan)
    const hosts = hostsOf(plan).map(({ namespace, address, aliases, slow: isSlow }) => ({
      namespace,
      address,
      aliases,
      queue: hostQueue(isSlow ? slow : full),
      shape: isSlow ? slow : full,
    }))
    hosts.push({
      namespace: plan.serverNamespace,
      address: SERVER_ADDRESS,
      aliases: [],
      queue: [`qdisc add dev eth0 root ${tbf(full)}`],
      shape: full,
    })
    tune(plan.siteNamespace, SITE_SYSCTLS)
    for (const host of hosts) {
      tune(host.namespace, [...HOST_SYSCTLS, ['net/ipv4/tcp_rto_min_us', String(rtoMinUs(host.shape))]])
      batch('ip', ['-n', host.namespace], [...hostLinks(host.address, host.aliases), ...everybody])
      batch('tc', ['-n', host.namespace], host.queue)
    }
    holder.pid = await startHolder(plan.siteNamespace)
    return network
  } catch (error) {
    network.remove()
    throw error
  }
}

/**
 * A node's own end of its link: in front of the wire the three bands of Linux's default queue, as a node in its initramfs
 * has them. Switches have one queue for all.
 */
function hostQueue(shape: Shape): string[] {
  return [
    `qdisc add dev eth0 root handle 1: ${tbf(shape)}`,
    'qdisc add dev eth0 parent 1:1 handle 2: pfifo_fast',
  ]
}

/** Sets sysctls of a namespace; what this kernel does not have costs nothing. */
function tune(namespace: string, values: readonly (readonly [string, string])[]): void {
  const lines = values.map(([name, value]) => `echo ${value} > /proc/sys/${name}`)
  const [program, args] = inside(namespace, ['sh', '-c', lines.join('; ')])
  spawnSync(program, args, { stdio: 'ignore' })
}

/** A process must run in the namespace, so that its counters can be read without starting one each time. */
async function startHolder(namespace: string): Promise<number> {
  const [program, args] = inside(namespace, ['sh', '-c', 'echo; exec sleep infinity'])
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  child.unref()
  await once(child.stdout, 'data')
  child.stdout.destroy()
  return child.pid ?? 0
}

/** Runs `ip` or `tc` over many lines. */
function batch(program: 'ip' | 'tc', args: readonly string[], lines: readonly string[]): void {
  const { status, stderr } = spawnSync(program, [...args, '-batch', '-'], {
    input: `${lines.join('\n')}\n`,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  if (status !== 0) {
    throw new BootswarmError('STORM_FAILED', `${program} ${args.join(' ')}: ${stderr.trim().slice(0, 500)}`)
  }
}

function parseCounts(text: string): Map<string, LinkCount> {
  const counts = new Map<string, LinkCount>()
  for (const line of text.split('\n').slice(2)) {
    const [name, ...fields] = line.trim().split(/[:\s]+/)
    if (name) counts.set(name, { rxBytes: Number(fields[0]), txBytes: Number(fields[8]) })
  }
  return counts
}

function shaped(namespace: string): Map<string, { bytes: number; drops: number }> {
  const { stdout } = spawnSync('tc', ['-n', namespace, '-s', 'qdisc', 'show'], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  const counts = new Map<string, { bytes: number; drops: number }>()
  for (const match of stdout.matchAll(
    /qdisc tbf \S+ dev (\S+) [^\n]*\n Sent (\d+) bytes .*?dropped (\d+)/g,
  )) {
    counts.set(match[1] ?? '', { bytes: Number(match[2]), drops: Number(match[3]) })
  }
  return counts
}
