/** One storm with a server of its own, under some attacks or none: from the start of the server to what it has given back. */
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type AgentStorm, measureAgents, startAgents } from '../storm/agents.js'
import { inside } from '../storm/network.js'
import type { NetworkBootMs, NodeBoot } from '../storm/node-boot.js'
import { type Host, type Plan, SERVER_ADDRESS } from '../storm/plan.js'
import { type StormServer, serverUrl } from '../storm/server.js'
import { Undo } from '../storm/undo.js'
import { startAttackers } from './attackers.js'
import type { Attack } from './attacks.js'
import { fillDisk } from './disk.js'
import { keptOf } from './judge.js'
import type { ProcessFacts, SiegeRun } from './run.js'
import type { SiegeOptions } from './siege-options.js'
import type { SiegeSite } from './siege-site.js'
import { descriptorLimit, type ServerWatch, type Watched, watchServer } from './watch.js'

const run = promisify(execFile)
const bootNode = fileURLToPath(new URL('../netboot/boot-node.js', import.meta.url))
/** A node's network boot ends with the node; then its agent begins. */
const nodeScript = 'setpriv --pdeathsig KILL "$1" "$2" "$3" "$4" "$5" && shift 5 && exec "$@"'
/** A part of the artifact that counts as a whole stream. */
const probeBytes = 500_000
const everyMs = 250
const statusMs = 5000
/** Attackers outlast the storm; these are for a bench that is killed. */
const spareS = 600

/** What storms have in common. */
export interface SiegeStorm {
  readonly site: SiegeSite
  readonly options: SiegeOptions
  readonly agent: string
  /** Memory of the server's processes after a storm without an attack, by name; empty: it is not known yet. */
  readonly calm: readonly ProcessFacts[]
}

/** Runs it. What it made is gone when it has ended; `undo` is for when it is interrupted. */
export async function stormUnder(
  { site, options, agent, calm }: SiegeStorm,
  attacks: readonly Attack[],
  undo: Undo,
): Promise<SiegeRun> {
  const directory = join(site.directory, 'storm')
  mkdirSync(directory)
  const own = new Undo()
  own.add(() => rmSync(directory, { recursive: true, force: true }))
  undo.add(() => own.all())
  try {
    const server = await site.start()
    own.add(() => server.kill())
    const watch = watchServer(server.pid())
    own.add(() => watch.stop())
    const limit = descriptorLimit(server.pid())
    const attack = await beginAttacks(site, server, attacks, options, directory)
    own.add(() => attack.end().catch(() => {}))
    const storm = await boot(site.plan, agent, server, join(directory, 'nodes'))
    own.add(() => storm.fleet.end())
    const leadMs = attacks.length === 0 ? 0 : options.leadS * 1000
    // Those that attack agents have nobody to attack yet.
    await attack.atWork(leadMs)
    await pause(leadMs)
    storm.fleet.open()
    await atMost(options.timeoutS * 1000, storm.finished)
    await attack.atWork(options.settleS * 1000)
    await pause(leadMs)
    const agents = agentsOf(storm)
    const did = attack.counts()
    await attack.end()
    await storm.fleet.end()
    const settled = await settle(watch, server, calm, options.settleS)
    const originS = await askOrigin(site, server, options.settleS)
    const lateNodeS = await bootLate(site, agent, server, join(directory, 'late'), options.timeoutS)
    return {
      ...stormFacts(storm.boots),
      ...settled,
      ...{ descriptorLimit: limit, lateNodeS, originS, agents, did },
      daemonEnded: server.ended() ?? null,
    }
  } finally {
    await own.all()
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits for something, but not for ever; undefined: it did not come. */
async function atMost<T>(ms: number, what: Promise<T>): Promise<T | undefined> {
  const timer = { id: undefined as NodeJS.Timeout | undefined }
  const late = new Promise<undefined>((resolve) => {
    timer.id = setTimeout(() => resolve(undefined), ms)
  })
  return Promise.race([what, late]).finally(() => clearTimeout(timer.id))
}

/** Attackers, and what they come with. */
async function beginAttacks(
  site: SiegeSite,
  server: StormServer,
  attacks: readonly Attack[],
  { leadS, timeoutS }: SiegeOptions,
  directory: string,
) {
  const lastS = leadS + timeoutS + spareS
  const target = await site.target(server, site.attacker.aliases.length + 1, lastS)
  const isDiskFull = attacks.some((attack) => attack.isDiskFull)
  const empty = isDiskFull ? fillDisk(server.pid(), join(site.directory, 'data')) : () => {}
  const { namespace } = site.attacker
  const attackers = await startAttackers(attacks, namespace, directory, ({ addresses }) => ({
    ...target,
    addresses: target.addresses.slice(0, addresses),
  }))
  return {
    counts: () => attackers.counts(),
    atWork: (ms: number) => attackers.atWork(ms),
    end: async () => {
      empty()
      await attackers.end()
    },
  }
}

/** Prepares nodes that boot from the network, behind the gate. */
function boot(plan: Plan, agent: string, server: StormServer, directory: string): Promise<AgentStorm> {
  mkdirSync(directory)
  const through = ({ address, mac }: Host) => [
    ...['sh', '-c', nodeScript, 'sh', process.execPath, bootNode, SERVER_ADDRESS, address, mac],
  ]
  const { trustDir } = server
  const common = { agent, trustDir, directory, discovery: true, through }
  return startAgents(plan, { ...common, startS: () => 0, onBooted: () => {} })
}

/** Of each phase the longest. */
function phasesOf(boots: readonly NodeBoot[]): SiegeRun['phasesS'] {
  const longest = (secondsOf: (boot: NodeBoot, ms: NetworkBootMs) => number | undefined) => {
    const all = boots.flatMap((each) => (each.networkBootMs && secondsOf(each, each.networkBootMs)) ?? [])
    return all.length === 0 ? null : Math.max(...all)
  }
  return {
    dhcp: longest((_, { dhcp }) => dhcp / 1000),
    tftp: longest((_, { tftp }) => tftp / 1000),
    http: longest((_, { http }) => http / 1000),
    manifest: longest(
      ({ startS, manifestS }, { dhcp, tftp, http }) =>
        manifestS && manifestS - startS - (dhcp + tftp + http) / 1000,
    ),
    download: longest(({ manifestS, downloadedS }) => downloadedS && downloadedS - (manifestS ?? 0)),
  }
}

function stormFacts(
  boots: readonly NodeBoot[],
): Pick<SiegeRun, 'stormS' | 'failed' | 'failures' | 'phasesS'> {
  const failed = boots.filter(({ bootedS }) => bootedS === undefined)
  return {
    stormS: failed.length > 0 ? null : Math.max(...boots.map(({ bootedS }) => bootedS ?? 0)),
    failed: failed.length,
    phasesS: phasesOf(boots),
    failures: failed.map(({ host, failures, manifestS }) => {
      const got = manifestS === undefined ? 'no manifest' : 'not all bytes'
      return `${host.id}: ${failures.at(-1) ?? got}`
    }),
  }
}

function agentsOf(storm: AgentStorm): SiegeRun['agents'] {
  measureAgents(storm)
  const descriptors = storm.fleet.running.map(({ child }) => {
    try {
      return readdirSync(`/proc/${child.pid}/fd`).length
    } catch {
      return 0
    }
  })
  const rss = storm.boots.map(({ rssMb }) => rssMb ?? 0)
  return { rssMb: Math.max(0, ...rss), descriptors: Math.max(0, ...descriptors) }
}

/** Waits until everything that was taken is given back, for a bounded time. */
async function settle(
  watch: ServerWatch,
  server: StormServer,
  calm: readonly ProcessFacts[],
  settleS: number,
): Promise<Pick<SiegeRun, 'processes' | 'backS' | 'kept'>> {
  const beganMs = performance.now()
  for (;;) {
    const processes = watch.look().map(factsOf)
    const streams = await streamsOf(server)
    const kept = keptOf(processes, streams, calm)
    const tookS = (performance.now() - beganMs) / 1000
    if (kept.length === 0) return { processes, backS: tookS, kept }
    if (tookS > settleS) return { processes, backS: null, kept }
    await pause(everyMs)
  }
}

/** Artifact streams that run; a server that does not answer in time is judged by the node that comes later. */
async function streamsOf(server: StormServer): Promise<number> {
  const asked = server.status().then(
    ({ streams }) => streams,
    () => 0,
  )
  return (await atMost(statusMs, asked)) ?? 0
}

function factsOf({ name, before, peak, now }: Watched): ProcessFacts {
  return { name, before, peak, after: now ?? null }
}

/** Asks for a part of the artifact over HTTPS until it comes; seconds. */
async function askOrigin(site: SiegeSite, server: StormServer, settleS: number): Promise<number | null> {
  const [node] = site.plan.nodes
  const beganMs = performance.now()
  while (server.ended() === undefined && node !== undefined) {
    const code = await run(...curlPart(node, server.trustDir, await artifactPath(server))).then(
      ({ stdout }) => stdout,
      () => '',
    )
    const tookS = (performance.now() - beganMs) / 1000
    if (code === '206') return tookS
    if (tookS > settleS) return null
    await pause(everyMs)
  }
  return null
}

async function artifactPath(server: StormServer): Promise<string> {
  return server.artifact().then(
    ({ path }) => path,
    () => '/',
  )
}

function curlPart(node: Host, trustDir: string, path: string): [string, string[]] {
  const trust = ['--silent', '--max-time', '10', '--cacert', join(trustDir, 'ca.pem')]
  const part = ['--range', `0-${probeBytes - 1}`, '--output', '/dev/null', '--write-out', '%{http_code}']
  return inside(node.namespace, ['curl', ...trust, ...part, `${serverUrl}${path}`])
}

/** One node that comes when all is over; seconds. */
async function bootLate(
  site: SiegeSite,
  agent: string,
  server: StormServer,
  directory: string,
  timeoutS: number,
): Promise<number | null> {
  if (server.ended() !== undefined) return null
  const plan = { ...site.plan, nodes: site.plan.nodes.slice(0, 1) }
  const storm = await boot(plan, agent, server, directory)
  storm.fleet.open()
  await atMost(timeoutS * 1000, storm.finished)
  await storm.fleet.end()
  return storm.boots[0]?.bootedS ?? null
}
