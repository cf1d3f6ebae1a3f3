/** Network boot: DHCP and TFTP in their process, the boot programs, and who may load kernel and stage 1. */
import { BootAdmission } from '../netboot/admission.js'
import type { QueueStats } from '../netboot/boot-queue.js'
import { LeaseKeeper } from '../netboot/lease-keeper.js'
import { Netboot, type NetbootOptions, type NetbootStats } from '../netboot/netboot.js'
import { type ProgramStats, ProgramStore } from '../netboot/program-store.js'
import type { RelayPorts } from '../netboot/relay-ports.js'
import type { Addresses } from '../process/addresses.js'
import type { Logger } from '../process/log.js'
import type { Store } from '../store/store.js'
import type { Timeline } from '../timeline/timeline.js'
import { after, type Common, type OpenPorts, type Reach } from './parts.js'

/** What network boot needs of the others. */
export interface NetbootParts {
  readonly store: Store
  readonly timeline: Timeline
  /** Told where relays see the machines. */
  readonly relayPorts: RelayPorts
  /** The user that the process becomes once its ports are open; missing: it does not change. */
  readonly account: NetbootOptions['account'] | undefined
  readonly addresses: Addresses
  readonly reach: Reach
  readonly ports: Readonly<OpenPorts>
}

/** Network boot of the running server. */
export interface NetbootSide {
  readonly admission: BootAdmission
  readonly log: Logger
  /** A boot program, by `ARCH/FILE`. */
  program(name: string): Uint8Array | undefined
  /**
   * Reads the programs and opens the ports; not before the HTTP listener is open, and while root can be had back: its
   * process opens ports below 1024 too.
   *
   * @throws BootswarmError NETBOOT_NOT_ALLOWED, ADDRESS_IN_USE, NETBOOT_FAILED where the configuration insists
   */
  start(): Promise<void>
  /** Boot programs by TFTP: transfers that run and whose clients answer, and the bytes of all so far. */
  programsSent(): { readonly transfers: number; readonly bytes: number }
  /** Calls `run` when the counters are new: each second, and several times a second while TFTP sends. */
  onStats(run: () => void): void
  stats(): NetbootStats & { readonly programs: ProgramStats; readonly queue: QueueStats }
  stop(): Promise<void>
}

/** Opens nothing before `start`. */
export function makeNetboot(common: Common, parts: NetbootParts): NetbootSide {
  const { netboot: config } = common.config
  const { store, timeline, relayPorts, account, addresses, reach, ports } = parts
  const log = common.log.child({ part: 'netboot' })
  const admission = new BootAdmission(config.loads_max, () => performance.now())
  const programs = new ProgramStore(config.ipxe_dir, log)
  const leases = new LeaseKeeper({
    list: () => store.leases.list(),
    save: (changes) => store.saveLeases(changes),
    after,
    failures: common.failures,
  })
  const netboot = new Netboot({
    programs: () => programs.programs,
    config,
    interfaces: () => addresses.now.interfaces,
    httpHost: reach.httpHost,
    httpPort: () => ports.http,
    ...(account === undefined ? {} : { account }),
    leases,
    relayPorts,
    facts: (facts, leftOut) => {
      for (const fact of facts) timeline.machine(fact)
      if (leftOut > 0) timeline.leftOut(leftOut)
    },
    log,
  })
  programs.onChange((found) => netboot.setPrograms(found))
  addresses.onChange(() => netboot.look())
  return {
    admission,
    log,
    program: (name) => programs.get(name),
    start: async () => {
      await programs.start(common.failures)
      await netboot.start()
      if (netboot.stats().mode !== 'off') programs.announce()
    },
    programsSent: () => netboot.programsSent(),
    onStats: (run) => netboot.onStats(run),
    stats: () => ({ ...netboot.stats(), programs: programs.stats(), queue: admission.stats() }),
    stop: async () => {
      await netboot.stop()
      await leases.stop()
      programs.stop()
    },
  }
}
