/**
 * Puts the server together: makes every service, hands them each other's interfaces, starts and stops them in
 * order. Reads neither argv nor environment.
 */
import { networkInterfaces } from 'node:os'
import type { Config } from '../src/config.js'
import { formatUrlHost } from '../src/net.js'
import { makeNodeConfigs } from '../src/node-config.js'
import { makeAnswers, torrentOf } from './api/answers.js'
import { makeBootAnswers } from './api/boot-answers.js'
import { SeedAnswers } from './api/seed-answers.js'
import { makeStatus, type ServerStatus } from './api/status.js'
import { Catalog } from './catalog/catalog.js'
import { ManifestMaker } from './catalog/manifest-maker.js'
import { catalogRecords } from './catalog/records.js'
import { localAddresses } from './config/load.js'
import { type Listener, listen } from './http/listener.js'
import { StreamSlots } from './http/stream-slots.js'
import { ensureIdentity } from './identity/identity.js'
import { BootAdmission } from './netboot/admission.js'
import { leaseRecords } from './netboot/leases.js'
import { Netboot } from './netboot/netboot.js'
import { ProgramStore } from './netboot/program-store.js'
import { RelayPorts } from './netboot/relay-ports.js'
import { nodeEventLog } from './nodes/event-log.js'
import { nodeRecords } from './nodes/records.js'
import { NodeRegistry } from './nodes/registry.js'
import { becomeUser, logPrivileges } from './privileges/become.js'
import type { Logger } from './process/log.js'
import { type Ports, writePortsFile } from './process/ports-file.js'
import { lockDataDir } from './store/lock.js'
import { openStore } from './store/store.js'
import { bootFilesLog } from './wiring/boot-files-log.js'
import { makeSwarmSide } from './wiring/swarm.js'

/** Parts of at most this many bytes hardly load the origin: a tail that a node misses. */
const smallPartBytes = 256 * 1024

/** The certificate is looked at this often, milliseconds. */
const certificateLookMs = 6 * 60 * 60 * 1000

/** What a server is started with. */
export interface ServerOptions {
  /** Paths absolute, `address` an IP address. */
  readonly config: Config
  /** The file that it was read from: it is read again. */
  readonly configFile?: string | undefined
  /** Why it could get no mount namespace of its own (privileges/namespace.ts), if it needed one. */
  readonly noNamespace?: string | undefined
  /** Every address of this machine: names of its certificate. */
  readonly addresses: readonly string[]
  readonly log: Logger
}

/** A server that runs. */
export interface RunningServer {
  readonly ports: Ports
  /** Holds `ca.pem` and `manifest.pub`, for stage 1. */
  readonly trustDir: string
  readonly registry: NodeRegistry
  readonly catalog: Catalog
  status(): ServerStatus
  /** Takes over what can change while it runs: nodes, racks, settings, log level. */
  reload(config: Config): void
  /** Ends everything in order; idempotent. */
  stop(): Promise<void>
}

/**
 * Starts everything; resolves when all ports are open. The catalog is read afterwards.
 *
 * @throws BootswarmError for everything that an operator can mend
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

/** Where nodes reach the HTTP listener, if not at the address that DHCP has on their network. */
function httpHostOf({ address, bind }: Config, isNat: boolean): { httpHost?: string } {
  if (isNat) return { httpHost: formatUrlHost(address) }
  return bind === '0.0.0.0' || bind === '::' ? {} : { httpHost: formatUrlHost(bind) }
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

async function compose(
  { config, configFile, noNamespace, addresses, log }: ServerOptions,
  cleanUp: (() => unknown)[],
  stop: () => Promise<void>,
): Promise<RunningServer> {
  const dataDir = config.data_dir
  const nowMs = () => Date.now()
  const privileges = becomeUser({ ...config, configFile, noNamespace })
  logPrivileges(privileges, log)
  const lock = lockDataDir(dataDir)
  cleanUp.push(() => lock.release())
  const identityOptions = { dataDir, site: config.site, addresses }
  let identity = await ensureIdentity({ ...identityOptions, nowMs: nowMs() })
  if (identity.made.length > 0) {
    log.info({ event: 'server.identity-made', made: identity.made }, `Made ${identity.made.join(', ')}`)
  }
  const store = openStore({ file: config.database, log, nowMs: nowMs() })
  cleanUp.push(() => store.close())

  const relayPorts = new RelayPorts()
  for (const { mac, circuitId, remoteId } of store.leases.list())
    relayPorts.note(mac, { circuitId, remoteId })
  const relayIdsOf = (node: string) => relayPorts.idsOf(node)
  let nodeConfigs = makeNodeConfigs(config, relayIdsOf)
  const describe = (id: string, address: string) => nodeConfigs.of(id, address)
  const registry = new NodeRegistry({
    store: nodeRecords(store, describe),
    describe,
    nowMs,
    onStoreError: (error) =>
      log.error(
        { event: 'nodes.not-saved', err: error },
        'The nodes’ states could not be saved; trying again',
      ),
  })
  registry.start()
  cleanUp.push(() => registry.stop())

  const catalog = new Catalog({
    artifactsDir: config.artifacts_dir,
    dataDir,
    store: catalogRecords(store),
    log: log.child({ part: 'catalog' }),
    versionsKeep: config.versions.keep,
    isBooting: (version) => registry.isBootingVersion(version),
    nowMs,
  })
  // Behind a NAT, nodes cannot use the address that their connection arrived at.
  const isNat = !localAddresses(networkInterfaces()).includes(config.address)
  const swarm = makeSwarmSide({
    seederPort: config.seeder.port,
    ...(config.dht.enabled ? { dhtPort: config.dht.port } : {}),
    lsd: config.lsd.enabled,
    rackOf: (address) => nodeConfigs.rackOf(registry.idAt(address), address),
    ...(isNat ? { address: config.address } : {}),
    pathOf: (sha256) => catalog.storeDir.path(sha256),
    torrentOf,
    isCalm: () => seeds.isCalm(),
    log: log.child({ part: 'swarm' }),
  })

  const netbootLog = log.child({ part: 'netboot' })
  const programs = new ProgramStore(config.netboot.ipxe_dir, netbootLog, (found) =>
    netboot.setPrograms(found),
  )
  const admission = new BootAdmission(config.netboot.loads_max, () => performance.now())
  const netboot = new Netboot({
    programs: () => programs.programs,
    config: config.netboot,
    interfaces: networkInterfaces,
    ...httpHostOf(config, isNat),
    httpPort: () => ports().http,
    ...(privileges.account === undefined ? {} : { account: privileges.account }),
    leases: leaseRecords(store.leases, (error) =>
      netbootLog.error({ event: 'dhcp.not-saved', err: error }, 'Leases could not be saved'),
    ),
    relayPorts,
    log: netbootLog,
  })

  const { calm_s: calmS, keep_per_rack: keepPerRack, keep_min: keepMin } = config.seeding
  const seeds = new SeedAnswers({
    rules: { calmS, keepPerRack, keepMin },
    registry,
    catalog,
    arriving: () => {
      const { loading, waiting } = admission.stats()
      return loading.length + waiting
    },
    nowMs,
    log,
  })

  let https: Listener | undefined
  let http: Listener | undefined
  const ports = (): Ports => ({ http: http?.port ?? 0, https: https?.port ?? 0, ...swarm.ports })
  const originBytes = { artifacts: 0, boot: 0 }
  const slots = new StreamSlots(config.origin.streams_max, smallPartBytes, () => swarm.isHandingOut())
  const startedMs = nowMs()
  const status = () =>
    makeStatus({
      site: config.site,
      uptimeS: Math.round((nowMs() - startedMs) / 1000),
      catalog,
      nodes: registry.countByState(),
      seeding: seeds.stats(),
      ports: ports(),
      streams: slots.active,
      originBytes,
      seeder: swarm.seederStats(),
      tracker: swarm.trackerStats(),
      netboot: { ...netboot.stats(), programs: programs.stats(), queue: admission.stats() },
    })
  const reachedAt = (address: string) => (isNat ? config.address : address)
  const services = makeAnswers({
    catalog,
    registry,
    maker: new ManifestMaker({ site: config.site, signingKey: identity.signingKey, ports }),
    describe,
    reachedAt,
    httpPort: () => ports().http,
    introduce: (infohashes, node) => swarm.introduce(infohashes, node),
    forget: (address) => swarm.forget(address),
    status,
    seedS: (node) => seeds.seedS(node),
    netboot: makeBootAnswers({
      log: netbootLog,
      admission,
      program: (name) => programs.get(name),
      currentVersion: () => catalog.live.current,
      describe,
      reachedAt,
      ports,
    }),
    bytesServed: (bytes, isBoot) => {
      originBytes[isBoot ? 'boot' : 'artifacts'] += bytes
    },
    nowMs,
  })
  const listening = {
    host: config.bind,
    services,
    sending: { slots, nowMs: () => performance.now(), retryAfterMinS: config.origin.retry_after_s },
    plugins: [swarm.trackerPlugin],
    log: log.child({ part: 'http' }),
  }
  await privileges.asRoot(async () => {
    https = await listen({ ...listening, port: config.https.port, tls: identity.tls })
    cleanUp.push(() => https?.close())
    http = await listen({ ...listening, port: config.http.port })
    cleanUp.push(() => http?.close())
  })
  cleanUp.push(() => programs.stop())
  await programs.start()
  // While root can be had back: its process opens ports below 1024 too.
  cleanUp.push(() => netboot.stop())
  await netboot.start()
  if (netboot.stats().mode !== 'off') programs.announce()
  privileges.drop()
  cleanUp.push(() => swarm.stop())
  await swarm.start()

  catalog.onChange((live) => swarm.update(live))
  catalog.onChange(bootFilesLog(netbootLog))
  registry.onEvent(nodeEventLog(log.child({ part: 'nodes' })))
  cleanUp.push(() => catalog.stop())
  await catalog.start()
  cleanUp.push(writePortsFile(dataDir, ports(), process.pid))

  const renewal = setInterval(() => {
    ensureIdentity({ ...identityOptions, nowMs: nowMs() })
      .then((next) => {
        if (next.tls.cert !== identity.tls.cert) https?.setTls(next.tls)
        identity = next
      })
      .catch((error: unknown) =>
        log.error({ event: 'server.renewal-failed', err: error }, 'The certificate could not be renewed'),
      )
  }, certificateLookMs)
  renewal.unref()
  cleanUp.push(() => clearInterval(renewal))

  return {
    ports: ports(),
    trustDir: identity.trustDir,
    registry,
    catalog,
    status,
    reload: (next) => {
      nodeConfigs = makeNodeConfigs(next, relayIdsOf)
      log.level = next.log.level
      catalog.look()
    },
    stop,
  }
}
