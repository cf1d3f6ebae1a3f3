/**
 * Network boot as the daemon sees it: what to serve where, the process that serves it, the leases that it wants kept.
 * If the ports are unavailable and `netboot.mode` is `auto`, the server runs without network boot.
 */

import type { HostInterface } from '../../host/interfaces.js'
import type { NetbootConfig } from '../../src/config-netboot.js'
import { BootswarmError } from '../../src/errors.js'
import { formatIpv4 } from '../../src/ipv4.js'
import type { Fact } from '../../src/timeline.js'
import { Child, type ChildExit } from '../process/child.js'
import { ChildStart } from '../process/child-start.js'
import type { Logger } from '../process/log.js'
import { type DhcpSite, makeDhcpSite, whyNothingServed } from './dhcp-site.js'
import type { LeaseKeeper } from './lease-keeper.js'
import { mayOpenLowPorts } from './low-ports.js'
import type { FromNetboot, ToNetboot } from './messages.js'
import type { RelayPorts } from './relay-ports.js'

/** Other DHCP servers that are remembered: bounded, because a host can forge them. */
const otherServersMax = 16

/** What netboot needs. */
export interface NetbootOptions {
  readonly config: NetbootConfig
  readonly interfaces: () => readonly HostInterface[]
  /** Where nodes reach the HTTP listener, if not at the address that DHCP has there. */
  readonly httpHost: () => string | undefined
  readonly httpPort: () => number
  /** The user that the process becomes once its ports are open; missing: it does not change. */
  readonly account?: { readonly uid: number; readonly gid: number }
  /** Boot programs by `ARCH/FILE`, as they are now. */
  readonly programs: () => ReadonlyMap<string, Uint8Array>
  readonly leases: Pick<LeaseKeeper, 'keep' | 'list'>
  /** Told where relays see the machines. */
  readonly relayPorts: RelayPorts
  /** Told what happens to machines, and how much more did that there was no room for. */
  readonly facts: (facts: readonly Fact[], leftOut: number) => void
  readonly log: Logger
}

/** What runs, for `/v1/status`. */
export interface NetbootStats {
  readonly mode: 'proxy' | 'full' | 'off'
  readonly running: boolean
  readonly restarts: number
  /** Other DHCP servers that machines took addresses from, since our start. */
  readonly otherServers: readonly string[]
  /** Counters by service, since its process started. */
  readonly services: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** DHCP and TFTP in their process. */
export class Netboot {
  readonly #options: NetbootOptions
  readonly #child: Child<ToNetboot, FromNetboot>
  #mode: NetbootStats['mode'] = 'off'
  #running = false
  #services: NetbootStats['services'] = {}
  readonly #statsListeners: (() => void)[] = []
  #restarts = 0
  readonly #otherServers = new Set<number>()
  /** What the process was started with, as far as addresses change it. */
  #served = ''
  /** Another process is asked for, and not told yet what to serve. */
  #isReplacing = false
  readonly #starting = new ChildStart()

  constructor(options: NetbootOptions) {
    this.#options = options
    // Once root is given up, only a process that has kept it can open the ports again.
    const script = options.account === undefined ? './netboot-process.js' : './netboot-supervisor.js'
    this.#child = new Child(new URL(script, import.meta.url), {
      started: () => this.#child.send(this.#startMessage()),
      message: (message) => this.#message(message),
      exited: (exit) => this.#exited(exit),
    })
  }

  /**
   * Opens the ports, as far as they are wanted and can be had.
   *
   * @throws BootswarmError NETBOOT_NOT_ALLOWED, ADDRESS_IN_USE, NETBOOT_FAILED where the configuration insists
   */
  async start(): Promise<void> {
    const { config, account, log } = this.#options
    if (config.mode === 'off') return
    try {
      if (account === undefined && !mayOpenLowPorts()) {
        throw new BootswarmError('NETBOOT_NOT_ALLOWED', 'only root may listen on UDP ports 67, 69 and 4011')
      }
      this.#mode = config.mode === 'full' ? 'full' : 'proxy'
      await this.#run()
    } catch (error) {
      this.#mode = 'off'
      if (config.mode !== 'auto' || !(error instanceof BootswarmError)) throw error
      log.info({ event: 'netboot.off', code: error.code }, `Goes on without network boot: ${hint(error)}`)
    }
  }

  /** Serves these boot programs from now on. */
  setPrograms(programs: ReadonlyMap<string, Uint8Array>): void {
    this.#child.send({ type: 'programs', programs })
  }

  /** Boot programs by TFTP: transfers that run and whose clients answer, and the bytes of all so far. */
  programsSent(): { readonly transfers: number; readonly bytes: number } {
    const { answered = 0, sent_bytes = 0 } = this.#services.tftp ?? {}
    return { transfers: this.#running ? answered : 0, bytes: sent_bytes }
  }

  /** Calls `run` when the counters are new: each second, and several times a second while TFTP sends. */
  onStats(run: () => void): void {
    this.#statsListeners.push(run)
  }

  stats(): NetbootStats {
    return {
      mode: this.#mode,
      running: this.#running,
      restarts: this.#restarts,
      otherServers: [...this.#otherServers].map(formatIpv4),
      services: this.#services,
    }
  }

  async stop(): Promise<void> {
    await this.#child.stop()
    this.#running = false
  }

  async #run(): Promise<void> {
    const silent = new BootswarmError('NETBOOT_FAILED', 'no answer from the process for DHCP and TFTP')
    await this.#starting.run(this.#child, silent)
  }

  /**
   * The addresses of this machine have changed. Sockets are bound to addresses, and a process that has dropped root opens
   * no more: where an address that is served is another, a new process takes over. Transfers that run end in the old one.
   */
  look(): void {
    if (servedOf(this.#site()) !== this.#served) this.#replace()
  }

  #replace(): void {
    if (!this.#running || this.#isReplacing) return
    this.#isReplacing = true
    const { account, log } = this.#options
    log.info({ event: 'netboot.interfaces-changed' }, 'The network interfaces that are served have changed')
    if (account === undefined) this.#child.replace({ type: 'retire' })
    else this.#child.send({ type: 'replace' })
  }

  #exited({ code, signal, restartInMs, error }: ChildExit): void {
    this.#running = false
    this.#tellStats()
    this.#restarts++
    const facts = { event: 'netboot.exited', code: 'NETBOOT_FAILED', exit: code, signal, restartInMs, error }
    this.#options.log.error(facts, 'The process for DHCP and TFTP ended; starting it again')
  }

  #tellStats(): void {
    for (const listener of this.#statsListeners) listener()
  }

  #otherServer(address: number): void {
    this.#otherServers.delete(address)
    this.#otherServers.add(address)
    const [oldest] = this.#otherServers
    if (oldest !== undefined && this.#otherServers.size > otherServersMax) this.#otherServers.delete(oldest)
  }

  #tellStarted(): void {
    const names = [...new Set(this.#site().interfaces.map(({ name }) => name))]
    const { log } = this.#options
    if (names.length === 0) {
      const why = whyNothingServed(this.#options.config, this.#options.interfaces())
      const text = `Network boot waits for an interface to serve: ${why}`
      log.warn({ event: 'netboot.no-interface', code: 'NETBOOT_FAILED' }, text)
      return
    }
    const how = this.#mode === 'full' ? 'as the only DHCP server' : 'beside the DHCP server of the site'
    const facts = { event: 'netboot.started', mode: this.#mode, interfaces: names }
    log.info(facts, `Boots machines from the network on ${names.join(', ')}, ${how}`)
  }

  #startMessage(): ToNetboot {
    const { account, leases, log, programs } = this.#options
    const site = this.#site()
    this.#served = servedOf(site)
    this.#running = false
    this.#isReplacing = false
    const dhcp = { site, leases: site.mode === 'full' ? leases.list() : [] }
    const { interfaces, httpHost, httpPort } = site
    const tftp = {
      addresses: [...new Set(interfaces.map(({ address }) => formatIpv4(address)))],
      programs: programs(),
      httpPort,
      ...(httpHost === undefined ? {} : { httpHost }),
    }
    const isVerbose = log.isLevelEnabled('debug')
    return { type: 'start', isVerbose, dhcp, tftp, ...(account === undefined ? {} : { account }) }
  }

  #site(): DhcpSite {
    const { config, interfaces, httpPort } = this.#options
    const httpHost = this.#options.httpHost()
    const reached = { httpPort: httpPort(), ...(httpHost === undefined ? {} : { httpHost }) }
    return makeDhcpSite(config, this.#mode === 'full' ? 'full' : 'proxy', interfaces(), reached)
  }

  #message(message: FromNetboot): void {
    const { log, leases } = this.#options
    switch (message.type) {
      case 'started':
        this.#running = true
        this.#starting.succeeded()
        this.#tellStarted()
        this.look()
        break
      case 'failed':
        if (!this.#starting.isUnderWay) {
          log.error(
            { event: 'netboot.failed', code: message.code },
            `Network boot does not run: ${message.message}`,
          )
        }
        this.#starting.failed(new BootswarmError(message.code, message.message))
        break
      case 'restarted':
        this.#child.send(this.#startMessage())
        break
      case 'exited':
        this.#exited(message)
        break
      case 'log':
        log[message.level]({ event: message.event, ...message.facts }, message.text)
        break
      case 'leases':
        leases.keep(message.changes)
        break
      case 'other-server':
        this.#otherServer(message.address)
        break
      case 'seen':
        this.#options.relayPorts.note(message.mac, message.relayPort)
        break
      case 'facts':
        this.#options.facts(message.facts, message.leftOut)
        break
      case 'stale':
        this.#replace()
        break
      case 'stats':
        this.#services = message.services
        this.#tellStats()
        break
    }
  }
}

function servedOf({ interfaces, httpHost }: DhcpSite): string {
  return JSON.stringify([interfaces, httpHost])
}

function hint({ code, message }: BootswarmError): string {
  if (code !== 'NETBOOT_NOT_ALLOWED') return message
  return `${message}. Start it with \`sudo npm start\` (it does not stay root), or set netboot.mode to off`
}
