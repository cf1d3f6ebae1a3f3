/** The inventory of nodes, with what the configuration and the relays' DHCP packets say of each. */
import { type Hold, holdOf } from '../../src/admit.js'
import type { KernelArch } from '../../src/arch.js'
import type { Config } from '../../src/config.js'
import type { PlacedConfig } from '../../src/config-parse.js'
import type { MachineFacts } from '../../src/inventory.js'
import { KERNEL_LINE_LENGTH_MAX, SETTINGS_MAX } from '../../src/limits.js'
import { type NextBoot, nextBootFacts, nextBootMistake, nextBootSchema } from '../../src/next-boot.js'
import { makeNodeConfigs, type NodeConfig } from '../../src/node-config.js'
import { type RackTree, racksAbove } from '../../src/rack-tree.js'
import { type ShownNode, shownNode } from '../../src/shown-node.js'
import type { TicketMode } from '../../src/tickets.js'
import type { OperatorRecords } from '../api/operators/records.js'
import { RelayPorts } from '../netboot/relay-ports.js'
import { lostNodeLog, nodeEventLog } from '../nodes/event-log.js'
import { KnownArchs } from '../nodes/known-archs.js'
import { NextBoots } from '../nodes/next-boots.js'
import { nodeRecords } from '../nodes/records.js'
import { NodeRegistry } from '../nodes/registry.js'
import { ReportAdmission } from '../nodes/report-admission.js'
import { UnverifiedReports } from '../nodes/unverified-reports.js'
import type { Store } from '../store/store.js'
import type { Timeline } from '../timeline/timeline.js'
import type { ReportStats } from '../timeline/writer.js'
import type { Common } from './parts.js'

/** The nodes of the running server. */
export interface Nodes {
  readonly registry: NodeRegistry
  readonly relayPorts: RelayPorts
  /** What comes under a node's name without a proof. */
  readonly unverifiedReports: UnverifiedReports
  /** What the configuration gives to a node at an address. */
  describe(id: string, address: string): NodeConfig
  /** What nodes boot once. */
  readonly nextBoots: NextBoots
  /** What a node gets in a boot with something that it gets once. */
  describeOnce(id: string, address: string, once: NextBoot): NodeConfig
  /** What the agent of a node gets in this boot, which takes what the node boots once. */
  describeBoot(id: string, boot: string, address: string): NodeConfig
  /** Why a node cannot boot this once; `roots` are the root file systems that are published. */
  nextBootMistake(
    id: string,
    address: string,
    nextBoot: NextBoot,
    roots: readonly string[],
  ): string | undefined
  /** What holds it back from booting, if anything does. */
  holdOf(id: string, address: string): Hold | undefined
  /** Whether nodes that prove nothing boot. */
  ticketMode(): TicketMode
  /** The same with the lines that give it. */
  explain(id: string, address: string): ShownNode
  /** A node tells the architecture of its processor. */
  archSeen(id: string, arch: KernelArch): void
  /** The rack of the node that was last seen at an address. */
  rackOf(address: string): string
  /** How the racks' switches hang together now. */
  rackTree(): RackTree
  start(): void
  /** Describes nodes by this configuration from now on. */
  reload(config: Config, placeOf: PlaceOf): void
  /** @throws BootswarmError REPORTS_TOO_MANY */
  admitReport(node: string, address: string, bytes: number): void
  /** Those of the database and those that came too fast. */
  reportStats(): ReportStats
  stop(): Promise<void>
}

/** What the nodes need of the others. */
export interface NodesParts {
  readonly store: Store
  readonly timeline: Timeline
  /** What operators said of a node. */
  readonly said: Pick<OperatorRecords, 'isApproved' | 'drainOf'>
  readonly placeOf: PlaceOf
}

/** Where a value of the configuration was given. */
export type PlaceOf = PlacedConfig['placeOf']

/** Loads nothing before `start`. */
export function makeNodes(
  { config, failures, log, nowMs }: Common,
  { store, timeline, said, placeOf: firstPlaceOf }: NodesParts,
): Nodes {
  const relayPorts = new RelayPorts()
  for (const { mac, relayPort } of store.leases.list()) {
    if (relayPort !== undefined) relayPorts.note(mac, relayPort)
  }
  const readConfig = (from: Config) => makeNodeConfigs(from, (node) => relayPorts.idsOf(node))
  let nodeConfigs = readConfig(config)
  let placeOf = firstPlaceOf
  let current = config
  const archs = new KnownArchs()
  // A boot script is asked for by the machine's MAC, whatever the node is called.
  const machineOf = (id: string): MachineFacts | undefined =>
    (registry.get(id) ?? registry.get(timeline.nodeOf(id) ?? ''))?.machine
  const describe = (id: string, address: string, machine = machineOf(id)): NodeConfig =>
    nodeConfigs.of(id, address, archs.of(id), machine)
  const nodeLog = log.child({ part: 'nodes' })
  const registry: NodeRegistry = new NodeRegistry({
    store: nodeRecords(store, describe),
    timeline,
    describe,
    nowMs,
    failures,
    onLost: lostNodeLog(nodeLog, nowMs),
  })
  registry.onEvent(nodeEventLog(nodeLog, nowMs))
  const namesOf = (id: string) => [id, timeline.nodeOf(id) ?? timeline.macOf(id) ?? id]
  const nextBoots = makeNextBoots(store, registry, namesOf, failures)
  const describeOnce = (id: string, address: string, once: NextBoot) =>
    nodeConfigs.once({ id, address, arch: archs.of(id), machine: machineOf(id) }, once)
  const admission = new ReportAdmission(nodeLog, () => performance.now())
  return {
    registry,
    relayPorts,
    unverifiedReports: new UnverifiedReports(nodeLog, nowMs),
    describe,
    nextBoots,
    describeOnce,
    describeBoot: (id, boot, address) => {
      const node = registry.get(id)
      const once = nextBoots.ofManifest(id, boot, node?.boot === boot ? node.bootStartedMs : nowMs())
      if (once === undefined) return describe(id, address)
      if (once.isTaken) timeline.node(id, boot, address, 'next-boot.taken', nextBootFacts(once.nextBoot))
      return describeOnce(id, address, once.nextBoot)
    },
    nextBootMistake: (id, address, nextBoot, roots) =>
      nextBootMistake(nextBoot, current.profiles, roots) ?? tooMuch(describeOnce(id, address, nextBoot)),
    holdOf: (id, address) => {
      // Operators and the configuration may know it by its other name.
      const names = namesOf(id)
      return holdOf(current.admit, {
        isNamed: names.some((name) => describe(name, address).isNamed),
        hasBooted: names.some((name) => registry.get(name)?.hasBooted === true),
        isApproved: names.some((name) => said.isApproved(name)),
        drained: names.map((name) => said.drainOf(name)).find((reason) => reason !== undefined),
      })
    },
    ticketMode: () => current.tickets,
    explain: (id, address) => {
      const explained = nodeConfigs.explain({ id, address, arch: archs.of(id), machine: machineOf(id) })
      const above = racksAbove(nodeConfigs.rackTree, explained.node.rack.value)
      return shownNode({ ...explained, placeOf, racksAbove: above })
    },
    archSeen: (id, arch) => archs.note(id, arch),
    rackOf: (address) => nodeConfigs.rackOf(registry.idAt(address), address),
    rackTree: () => nodeConfigs.rackTree,
    admitReport: (node, address, bytes) =>
      admission.admit({ node, address, isKnown: registry.isKnownAt(node, address) }, bytes),
    reportStats: () => {
      const { waiting, refused } = registry.reportStats()
      return { waiting, refused: refused + admission.refused }
    },
    start: () => registry.start(),
    reload: (next, nextPlaceOf) => {
      nodeConfigs = readConfig(next)
      placeOf = nextPlaceOf
      current = next
    },
    stop: () => registry.stop(),
  }
}

/** Those of the database; a boot that completes uses its own up. */
function makeNextBoots(
  store: Store,
  registry: NodeRegistry,
  namesOf: (id: string) => readonly string[],
  failures: Common['failures'],
): NextBoots {
  const stored = store.nextBoots.list().flatMap(({ content, ...row }) => {
    // Another release may have known more.
    const nextBoot = nextBootSchema.safeParse(JSON.parse(content))
    return nextBoot.success ? [{ ...row, nextBoot: nextBoot.data }] : []
  })
  const nextBoots = new NextBoots({
    ...{ stored, namesOf, failures },
    save: (state) => store.saveNextBoot(state),
  })
  registry.onEvent(({ id }, { type, boot }) => {
    if (type === 'boot.completed') nextBoots.completed(id, boot)
  })
  return nextBoots
}

/** What one more profile would make of a node's values, where the configuration alone is checked. */
function tooMuch({ kernelArgs, settings }: NodeConfig): string | undefined {
  const count = Object.keys(settings).length
  if (count > SETTINGS_MAX) return `it would have ${count} settings, at most ${SETTINGS_MAX} are possible`
  if (kernelArgs.length <= KERNEL_LINE_LENGTH_MAX) return undefined
  return `its kernel arguments would have ${kernelArgs.length} characters, at most ${KERNEL_LINE_LENGTH_MAX} are possible`
}
