/** The operators' listeners, their tokens, and the answers to them from all other parts. */
import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { programVersion } from '../../host/program-version.js'
import { BootswarmError } from '../../src/errors.js'
import { storedInventory } from '../../src/inventory.js'
import { formatIpPort } from '../../src/net.js'
import type { NextBoot } from '../../src/next-boot.js'
import type { ShownNode } from '../../src/shown-node.js'
import { localCaller, tokenCaller } from '../api/operators/admission.js'
import { EventStreams } from '../api/operators/event-streams.js'
import type { OperatorRecords } from '../api/operators/records.js'
import { registerOperatorRoutes } from '../api/operators/routes.js'
import type { OperatorRoutes } from '../api/operators/routing.js'
import type { EventReader, OperatorServices } from '../api/operators/services.js'
import { Tokens } from '../api/operators/tokens.js'
import { statusView } from '../api/operators/views.js'
import type { ServerStatus } from '../api/status.js'
import type { ClientLimits } from '../http/client-limits.js'
import { type Listener, listen, type TlsFiles } from '../http/listener.js'
import { listenLocally } from '../http/local-listener.js'
import type { NextBoots } from '../nodes/next-boots.js'
import type { NodeKeys } from '../nodes/node-keys.js'
import type { DescribeNode, NodeRegistry } from '../nodes/registry.js'
import type { Addresses } from '../process/addresses.js'
import type { Timeline } from '../timeline/timeline.js'
import type { ToldStore } from './appended.js'
import { OperatorNodes } from './operator-nodes.js'
import type { Common, OpenPorts } from './parts.js'
import type { PowerSide } from './power.js'

/** Its name in the data directory. */
const socketName = 'operators.sock'

/** What the answers come from. */
export interface OperatorParts {
  readonly told: ToldStore
  readonly records: OperatorRecords
  readonly registry: NodeRegistry
  readonly keys: Pick<NodeKeys, 'drop'>
  readonly timeline: Timeline
  readonly describe: DescribeNode
  readonly explain: (id: string, address: string) => ShownNode
  readonly nextBoots: NextBoots
  readonly power: PowerSide
  /** Why a node cannot boot this once; undefined: it can. */
  readonly nextBootMistake: (id: string, address: string, nextBoot: NextBoot) => string | undefined
  readonly status: () => ServerStatus
  readonly limits: ClientLimits
  readonly tls: TlsFiles
  readonly addresses: Addresses
  readonly ports: OpenPorts
}

/** The operators' side of the running server. */
export interface OperatorSide {
  /**
   * Opens the port, if there is to be one.
   *
   * @throws BootswarmError ADDRESS_IN_USE
   */
  startPort(): Promise<void>
  /**
   * Makes the Unix socket, which belongs to the user that this process is by now.
   *
   * @throws BootswarmError DATA_DIR_UNUSABLE
   */
  startSocket(): Promise<void>
  /** A token for everything if there is a port and has never been a token; undefined otherwise. */
  makeFirstToken(): Promise<string | undefined>
  /** Whether nobody has ever been given a token for the port. */
  lacksToken(): boolean
  /** Serves new connections with another certificate. */
  setTls(tls: TlsFiles): void
  stop(): Promise<void>
}

/** Opens nothing before it is started. */
export function makeOperators(common: Common, parts: OperatorParts): OperatorSide {
  const { config, failures, nowMs } = common
  const { told, records, limits, tls, ports } = parts
  const { enabled, port, bind } = config.operators
  const log = common.log.child({ part: 'operators' })
  const tokens = new Tokens({
    stored: records.tokens(),
    save: records.tokenChanges,
    random: (bytes) => randomBytes(bytes),
    nowMs,
  })
  const events: EventReader = { ...told.store.eventPages, onAppended: told.onAppended }
  const streams = new EventStreams(events)
  const services = makeServices(common, parts, events)
  const app = { services, tokens, streams }
  const shared = { limits, log }
  const routes = (callerOf: OperatorRoutes['callerOf']): Parameters<typeof listen>[0]['routes'] => {
    return (instance) => registerOperatorRoutes(instance, { ...app, callerOf })
  }
  let listener: Listener | undefined
  let local: { close(): Promise<void> } | undefined
  return {
    startPort: async () => {
      if (!enabled) return
      listener = await listen({
        ...shared,
        ...{ port, tls, failures, host: bind === '' ? config.bind : bind, name: 'operators’ HTTPS' },
        keys: { port: 'operators.port', host: bind === '' ? 'bind' : 'operators.bind' },
        routes: routes(tokenCaller(tokens, log, () => performance.now())),
      })
      ports.operators = listener.port
    },
    startSocket: async () => {
      const path = join(config.data_dir, socketName)
      local = await listenLocally({ ...shared, path, routes: routes(localCaller) })
    },
    makeFirstToken: async () => {
      if (!enabled || !tokens.isEmpty) return undefined
      return (await tokens.make('admin', 'first start', { who: 'first start', address: 'local' })).text
    },
    lacksToken: () => enabled && tokens.isEmpty,
    setTls: (next) => listener?.setTls(next),
    stop: async () => {
      streams.close()
      await Promise.all([listener?.close(), local?.close()])
    },
  }
}

function makeServices(
  { config, nowMs }: Common,
  parts: OperatorParts,
  events: EventReader,
): OperatorServices {
  const { registry, keys, timeline, describe, explain, told, records, nextBoots, power } = parts
  const { status, tls, addresses, ports } = parts
  const program = programVersion()
  const key = new X509Certificate(tls.cert).publicKey.export({ type: 'spki', format: 'der' })
  const keySha256 = createHash('sha256').update(key).digest('hex')
  const { bind } = config.operators
  const url = () => {
    const host = ['', '0.0.0.0', '::'].includes(bind) ? addresses.now.address : bind
    return ports.operators === 0 ? '' : `https://${formatIpPort(host, ports.operators)}`
  }
  const nodes = new OperatorNodes({
    ...{ registry, timeline, describe, nowMs, store: told.store },
    saidOf: (node) => ({
      ...{ label: records.labelOf(node), approved: records.isApproved(node) },
      ...{ drained: records.drainOf(node), nextBoot: nextBoots.waiting(node) },
    }),
  })
  return {
    status: () => statusView(status(), nodes.countByState(), program, { url: url(), key_sha256: keySha256 }),
    nodes: () => nodes.list(),
    node: (id) => nodes.get(id),
    machineOf: (id) => registry.get(id)?.machine,
    inventoryOf: (id) => storedInventory(told.store.nodes.inventory(id)),
    isNode: (id) => nodes.isNode(id),
    withCauses: (some) => nodes.withCauses(some),
    why: (node) => nodes.why(node),
    configOf: ({ id, address }) => explain(id, address),
    events,
    label: (node, label, author) => records.label(node, label, author),
    approve: (node, isApproved, author) => records.approve(node, isApproved, author),
    drain: (node, reason, author) => records.drain(node, reason, author),
    nextBoot: async ({ id, address }, nextBoot, author) => {
      const mistake = nextBoot && parts.nextBootMistake(id, address, nextBoot)
      if (mistake !== undefined) throw new BootswarmError('REQUEST_INVALID', mistake)
      nextBoots.set(id, nextBoot, await records.nextBoot(id, nextBoot, author))
    },
    forget: async (node, author) => {
      await records.forgetting(node, author)
      nextBoots.set(node, undefined, nowMs())
      keys.drop(node)
      if (nodes.isNode(node)) await registry.forget(node)
      else await timeline.forgetMachine(node)
    },
    actions: () => power.actions.list(),
    action: (id) => power.actions.get(id),
    planAction: (plan, { who }) => power.actions.planned(plan, who),
    startAction: (plan, author) => power.begin(plan, author),
    stopAction: (id, author) => power.end(id, author),
    audit: (beforeId, limit) => records.audit(beforeId, limit),
  }
}
