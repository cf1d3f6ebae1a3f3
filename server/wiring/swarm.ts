/**
 * The BitTorrent side of the server: seeder, tracker, DHT node and LSD, kept at the torrents of the versions that
 * are served.
 */
import type { FastifyPluginAsync } from 'fastify'
import { BootswarmError } from '../../src/errors.js'
import type { RackTree } from '../../src/rack-tree.js'
import type { RackOfAddress } from '../../src/racks.js'
import type { CatalogArtifact, LiveVersions } from '../catalog/versions.js'
import { type Addresses, firstIpv4 } from '../process/addresses.js'
import type { ChildExit } from '../process/child.js'
import type { Failures } from '../process/failures.js'
import { createDhtNode } from '../swarm/dht.js'
import { HandoutActivity } from '../swarm/handout-activity.js'
import { createLsd } from '../swarm/lsd.js'
import { createSeeder } from '../swarm/seeder.js'
import type { SeederStats } from '../swarm/seeder-stats.js'
import type { SwarmLog } from '../swarm/swarm-log.js'
import { createTracker, type Tracker, type TrackerStats } from '../swarm/tracker.js'
import { after, type Common, type OpenPorts, type Reach } from './parts.js'
import { Seeding } from './seeding.js'

/** What the BitTorrent side needs of the others. */
export interface SwarmParts {
  readonly rackOf: RackOfAddress
  readonly rackTree: () => RackTree
  readonly pathOf: (sha256: string) => string
  readonly torrentOf: (artifact: CatalogArtifact) => Uint8Array | undefined
  /** Few nodes boot, and few are expected to. */
  readonly isCalm: () => boolean
  readonly addresses: Addresses
  readonly reach: Reach
  readonly ports: OpenPorts
}

/** The running BitTorrent side. */
export interface SwarmSide {
  readonly trackerPlugin: FastifyPluginAsync
  /**
   * Opens the ports.
   *
   * @throws BootswarmError ADDRESS_IN_USE, SEEDER_FAILED
   */
  start(): Promise<void>
  /** Serves the torrents of exactly these versions. */
  update(live: LiveVersions): void
  /** The answers of `rackOf` and `rackTree` may be others from now on. */
  racksChanged(): void
  seederStats(): SeederStats
  /** The seeder has handed out pieces to agents within the last seconds. */
  isHandingOut(): boolean
  /** Calls back whenever the answers of the two above may be others. */
  onSeederStats(run: () => void): void
  trackerStats(): TrackerStats
  readonly introduce: Tracker['introduce']
  readonly forget: Tracker['forget']
  stop(): Promise<void>
}

/** A service in a process of its own. */
interface OwnProcess {
  on(event: 'exit', listener: (exit: ChildExit) => void): void
  on(event: 'listening', listener: () => void): void
}

/** Shows that its process has ended until the next one listens. */
function watch(service: OwnProcess, part: string, failures: Failures): void {
  service.on('exit', ({ code, signal, error, restartInMs }) => {
    const how = error ?? (signal === null ? `exit code ${code}` : signal)
    const message = `its process ended (${how}); another one starts in ${restartInMs / 1_000} s`
    failures.failed(part, new BootswarmError('SEEDER_FAILED', message))
  })
  service.on('listening', () => failures.worked(part))
}

/** Makes the four services; only the tracker works before `start`. */
export function makeSwarm(common: Common, parts: SwarmParts): SwarmSide {
  const { config } = common
  const { rackOf, rackTree, addresses, reach, ports } = parts
  const log = common.log.child({ part: 'swarm' })
  const swarmLog: SwarmLog = (level, event, data) => log[level]({ event, ...data }, event)
  const clock = { nowMs: () => performance.now(), random: Math.random }
  const seeder = createSeeder({ port: config.seeder.port, rackOf, rackTree, log: swarmLog })
  const tracker = createTracker({
    rackOf,
    rackTree,
    ...clock,
    isCalm: parts.isCalm,
    seeder: () => {
      // For stock clients, where it is another address than the one they reached us at.
      const address = reach.natAddress()
      return ports.seeder === 0
        ? undefined
        : { port: ports.seeder, ...(address === undefined ? {} : { address }) }
    },
  })
  const dht = config.dht.enabled ? createDhtNode({ port: config.dht.port, log: swarmLog }) : undefined
  const lsd = config.lsd.enabled ? createLsd({ ...clock, log: swarmLog }) : undefined
  const setAddresses = () => {
    const nat = reach.natAddress()
    const own = firstIpv4(addresses.now)
    lsd?.setInterfaces(own.map(({ address }) => address))
    dht?.setAddresses(nat === undefined ? own : [{ address: nat, cidr: null }])
  }
  setAddresses()
  addresses.onChange(setAddresses)
  const seeding = new Seeding({
    seeder,
    sinks: [
      (infohashes) => tracker.setTorrents(infohashes),
      (infohashes) => dht?.setTorrents(infohashes, ports.seeder),
      (infohashes) => lsd?.setTorrents(infohashes, ports.seeder),
    ],
    pathOf: parts.pathOf,
    torrentOf: parts.torrentOf,
    onError: (error, { name }) => {
      const facts = { event: 'seeder.add-failed', code: 'SEEDER_FAILED', name, err: error }
      log.error(facts, `${name} is not seeded, trying again; until then nodes take it over HTTPS`)
    },
    onRecovered: ({ name }) => log.info({ event: 'seeder.add-recovered', name }, `${name} is seeded now`),
    after,
  })
  watch(seeder, 'the BitTorrent seeder', common.failures)
  if (dht !== undefined) watch(dht, 'the DHT node', common.failures)
  seeder.on('lost', (infohash, error) => seeding.lost(infohash, error))
  const handoutActivity = new HandoutActivity()
  return {
    trackerPlugin: tracker.plugin,
    start: async () => {
      const started = await Promise.all([seeder.start(), dht?.start()])
      ports.seeder = started[0].port
      ports.dht = started[1]?.port ?? 0
      // One way of several to find peers: a machine without multicast does without.
      await lsd?.start().catch((error: unknown) => {
        log.warn(
          { event: 'lsd.failed', err: error },
          'Local service discovery does not run; nodes use the tracker',
        )
      })
    },
    update: (live) => seeding.update(live),
    racksChanged: () => seeder.racksChanged(),
    seederStats: () => seeder.stats(),
    isHandingOut: () => handoutActivity.isHandingOut(seeder.stats().torrents, clock.nowMs()),
    onSeederStats: (run) => seeder.on('stats', run),
    trackerStats: () => tracker.stats(),
    introduce: (infohashes, node) => tracker.introduce(infohashes, node),
    forget: (address) => tracker.forget(address),
    stop: async () => {
      seeding.stop()
      await Promise.allSettled([lsd?.stop(), dht?.stop(), seeder.stop()])
    },
  }
}
