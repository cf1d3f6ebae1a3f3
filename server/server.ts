/**
 * Puts the server together: makes every service, hands them each other's interfaces, starts and stops them in
 * order. Reads neither argv nor environment.
 */
import { readInterfaces } from '../host/interfaces.js'
import type { Config } from '../src/config.js'
import { torrentOf } from './api/answers.js'
import { OperatorRecords } from './api/operators/records.js'
import type { ServerStatus } from './api/status.js'
import type { Catalog } from './catalog/catalog.js'
import type { NodeRegistry } from './nodes/registry.js'
import { becomeUser, logPrivileges } from './privileges/become.js'
import { Addresses } from './process/addresses.js'
import { Failures } from './process/failures.js'
import type { Logger } from './process/log.js'
import { forgetPorts, type Ports, writePortsFile } from './process/ports-file.js'
import { lockDataDir } from './store/lock.js'
import { openStore } from './store/store.js'
import { addressLog } from './wiring/address-log.js'
import { tellAppended } from './wiring/appended.js'
import { bootFilesLog } from './wiring/boot-files-log.js'
import { makeCatalog } from './wiring/catalog.js'
import { makeHttp } from './wiring/http.js'
import { makeIdentity } from './wiring/identity.js'
import { makeNetboot } from './wiring/netboot.js'
import { makeNodes, type PlaceOf } from './wiring/nodes.js'
import { makeOperators, type OperatorSide } from './wiring/operators.js'
import { noPorts, reachOf } from './wiring/parts.js'
import { makePower } from './wiring/power.js'
import { makeSeeds } from './wiring/seeds.js'
import { makeSwarm } from './wiring/swarm.js'
import { makeTickets } from './wiring/tickets.js'
import { makeTimeline, publishedVersions } from './wiring/timeline.js'

/** What a server is started with. */
export interface ServerOptions {
  /** Paths absolute, `address` an IP address. */
  readonly config: Config
  /** Where its values were given; missing: nobody is told. */
  readonly placeOf?: PlaceOf
  /** The file that it was read from: it is read again. */
  readonly configFile?: string | undefined
  /** Why it could get no mount namespace of its own (privileges/namespace.ts), if it needed one. */
  readonly noNamespace?: string | undefined
  /** `address: auto`: it follows the addresses of this machine. */
  readonly isAddressAuto: boolean
  readonly log: Logger
}

/** A server that runs. */
export interface RunningServer {
  /** Where nodes reach it now, as far as one address can say it; 127.0.0.1 while there is none. */
  address(): string
  readonly ports: Ports
  /** Holds `ca.pem` and `manifest.pub`, for stage 1. */
  readonly trustDir: string
  readonly registry: NodeRegistry
  readonly catalog: Catalog
  status(): ServerStatus
  readonly operators: Pick<OperatorSide, 'makeFirstToken' | 'lacksToken'>
  /** Takes over what can change while it runs: profiles, groups, nodes, racks, settings, log level. */
  reload(config: Config, placeOf: PlaceOf): void
  /** Ends everything in order; idempotent. */
  stop(): Promise<void>
}

/**
 * Starts everything; resolves when all ports are open. The catalog is read afterwards.
 *
 * @throws BootswarmError for every error that an operator can fix
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { log } = options
  const cleanUp: (() => unknown)[] = []
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= endAll(cleanUp, log)
    return stopped
  }
  try {
    return await compose(options, cleanUp, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

/** Last made, first ended. */
async function endAll(cleanUp: (() => unknown)[], log: Logger): Promise<void> {
  for (let end = cleanUp.pop(); end !== undefined; end = cleanUp.pop()) {
    try {
      await end()
    } catch (error) {
      log.error({ event: 'server.stop-failed', err: error }, 'A part did not end cleanly')
    }
  }
}

/** Each part is made from those above it; ports of below are read from `ports` when they are told to a node. */
async function compose(
  { config, placeOf = () => undefined, configFile, noNamespace, isAddressAuto, log }: ServerOptions,
  cleanUp: (() => unknown)[],
  stop: () => Promise<void>,
): Promise<RunningServer> {
  const nowMs = () => Date.now()
  const common = { config, log, nowMs, failures: new Failures(log, nowMs) }
  const privileges = becomeUser({ ...config, configFile, noNamespace })
  logPrivileges(privileges, log)
  const lock = lockDataDir(config.data_dir)
  cleanUp.push(() => lock.release())
  forgetPorts(config.data_dir)
  const addresses = new Addresses({
    configured: isAddressAuto ? undefined : config.address,
    netboot: config.netboot,
    read: readInterfaces,
  })
  const identity = await makeIdentity(common, addresses)
  const told = tellAppended(openStore({ file: config.database, log, nowMs: nowMs() }))
  const { store } = told
  cleanUp.push(() => store.close())
  const ports = noPorts()
  const reach = reachOf(config, addresses)

  const timeline = makeTimeline(common, store)
  const records = new OperatorRecords(store, nowMs)
  const nodes = makeNodes(common, { store, timeline, said: records, placeOf })
  const { registry, relayPorts } = nodes
  const tickets = makeTickets(common, { store, timeline, registry })
  let current = config
  const catalog = makeCatalog(common, store, registry, () => current)
  const netboot = makeNetboot(common, {
    store,
    timeline,
    relayPorts,
    account: privileges.account,
    addresses,
    reach,
    ports,
  })
  const seeds = makeSeeds(common, {
    registry,
    catalog,
    admission: netboot.admission,
    describe: nodes.describe,
  })
  const swarm = makeSwarm(common, {
    rackOf: nodes.rackOf,
    rackTree: nodes.rackTree,
    pathOf: (sha256) => catalog.storeDir.path(sha256),
    torrentOf,
    isCalm: () => seeds.isCalm(),
    addresses,
    reach,
    ports,
  })
  const power = makePower(common, { store, records, registry, timeline, addresses, describe: nodes.describe })
  const http = makeHttp(common, {
    power,
    timeline,
    identity: identity.first,
    catalog,
    nodes,
    tickets,
    seeds,
    swarm,
    netboot,
    reach,
    ports,
  })
  const operators = makeOperators(common, {
    power,
    told,
    records,
    registry,
    keys: tickets.keys,
    timeline,
    describe: nodes.describe,
    explain: nodes.explain,
    nextBoots: nodes.nextBoots,
    nextBootMistake: (id, address, nextBoot) =>
      nodes.nextBootMistake(id, address, nextBoot, rootNames(catalog)),
    status: http.status,
    limits: http.limits,
    tls: identity.first.tls,
    addresses,
    ports,
  })
  catalog.onChange((live) => swarm.update(live))
  catalog.onChange(bootFilesLog(netboot.log))
  catalog.onChange(publishedVersions(timeline, nowMs()))

  cleanUp.push(() => nodes.stop())
  cleanUp.push(() => timeline.site('server.stopped', {}))
  nodes.start()
  cleanUp.push(() => tickets.stop())
  tickets.start()
  timeline.site('server.started', { site: config.site })
  power.start()
  cleanUp.push(() => power.stop())
  cleanUp.push(() => http.stop())
  await privileges.asRoot(() => http.start())
  cleanUp.push(() => operators.stop())
  await privileges.asRoot(() => operators.startPort())
  cleanUp.push(() => netboot.stop())
  await netboot.start()
  privileges.drop()
  await operators.startSocket()
  cleanUp.push(() => swarm.stop())
  await swarm.start()
  cleanUp.push(() => catalog.stop())
  await catalog.start()
  cleanUp.push(writePortsFile(config.data_dir, ports, process.pid))
  cleanUp.push(() => identity.stop())
  identity.start((tls) => {
    http.setTls(tls)
    operators.setTls(tls)
  })
  addresses.onChange(addressLog(log, ports))
  cleanUp.push(() => addresses.stop())
  addresses.start(common.failures)

  return {
    address: () => addresses.now.address,
    ports,
    trustDir: identity.first.trustDir,
    registry,
    catalog,
    status: http.status,
    operators,
    reload: (next, nextPlaceOf) => {
      // First what may refuse it: then nothing of it has been taken over.
      nodes.reload(next, nextPlaceOf)
      current = next
      swarm.racksChanged()
      timeline.site('config.reloaded', {})
      log.level = next.log.level
      catalog.look()
    },
    stop,
  }
}

/** The root file systems that nodes can boot now. */
function rootNames({ live }: Catalog): string[] {
  const artifacts = live.current?.artifacts ?? []
  return artifacts.flatMap(({ kind, name }) => (kind === 'rootfs' ? [name] : []))
}
