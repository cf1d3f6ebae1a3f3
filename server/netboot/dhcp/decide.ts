/** DHCP as one pure state machine: bytes or a probe's answer and the time go in, effects come out. */

import type { Lease } from '../../../src/dhcp-lease.js'
import { FairRate } from '../../../src/fair-rate.js'
import { formatIpv4 } from '../../../src/ipv4.js'
import { TokenBuckets } from '../../../src/token-bucket.js'
import { type BootChoice, type BootFor, chooseBoot } from '../boot-choice.js'
import type { DhcpSite } from '../dhcp-site.js'
import type { AddressUse } from './arp.js'
import type { Arrival } from './arrival.js'
import type { CounterName } from './counters.js'
import type { Effect } from './effect.js'
import { answeredFacts, refusedFacts, seenFact } from './facts.js'
import { FullDhcp } from './full.js'
import { type DhcpMessage, type MessageType, readMessage, relayIds } from './message.js'
import { bootServerReplies, proxyReplies } from './proxy.js'
import { serverOf } from './reply.js'
import { ThrottledLog } from './throttled-log.js'

/** A datagram and how it arrived. */
export interface Datagram extends Omit<Arrival, 'message'> {
  readonly bytes: Uint8Array
}

const countersOf: Partial<Record<MessageType, CounterName>> = {
  discover: 'discovers',
  request: 'requests',
  decline: 'declines',
  release: 'releases',
  inform: 'informs',
}

/**
 * Messages that are answered of one interface, of one sender of unicasts, and of one relay. 500 machines that boot together say 3,000.
 * More than this would take all of a processor; what is beyond costs next to nothing, and other networks and TFTP are served meanwhile.
 * A sender names whatever relay it likes, but has one address to send from: others keep a quarter, also from several senders.
 */
const rates = {
  interface: { perSecond: 4000, burst: 8192 },
  sender: { keysMax: 4096, perSecond: 3000, burst: 6144 },
  relay: { keysMax: 256, perSecond: 2000, burst: 4096 },
} as const

/** Offsets of the relay's and of the machine's own address in a message (RFC 2131 2). */
const giaddrAt = 24
const chaddrAt = 28
const macBytes = 6

/** The whole DHCP side of one site. */
export class DhcpMachine {
  readonly #site: DhcpSite
  readonly #tell = new ThrottledLog()
  readonly #full: FullDhcp | undefined
  readonly #ofInterface = new Map<string, FairRate>()
  readonly #ofSender = bucketsOf(rates.sender)
  readonly #ofRelay = bucketsOf(rates.relay)

  constructor(site: DhcpSite, leases: Iterable<Lease> = []) {
    this.#site = site
    this.#full = site.mode === 'full' ? new FullDhcp(site, this.#tell, leases) : undefined
  }

  /** Counters since the start, and the active leases. */
  stats(nowMs: number): Record<CounterName | 'leases', number> {
    return { ...this.#tell.counters, leases: this.#full?.countActive(nowMs) ?? 0 }
  }

  /** Takes a datagram. Never throws, whatever is in it. */
  receive(datagram: Datagram, nowMs: number): Effect[] {
    this.#tell.count('received')
    const { from, port, interface: name, local } = datagram
    if (!this.#isWithinRates(datagram, nowMs)) {
      this.#tell.drop('too_many')
      return []
    }
    // Nobody can be answered at port 0.
    const message = from.port === 0 ? { malformed: 'it comes from port 0' } : readMessage(datagram.bytes)
    if ('malformed' in message) {
      this.#tell.count('malformed')
      const text = `A malformed DHCP message from ${formatIpv4(from.address)}: ${message.malformed}`
      return this.#tell.once('debug', 'dhcp.malformed', 'DHCP_MALFORMED', {}, text, nowMs)
    }
    if ('ignored' in message) {
      this.#tell.drop(message.ignored)
      return []
    }
    const counter = countersOf[message.type]
    if (counter !== undefined) this.#tell.count(counter)
    const arrival = { message, port, interface: name, local, from }
    this.#tell.takeRefusal()
    const effects = [
      ...this.#seen(message, nowMs),
      ...this.#rival(message, nowMs),
      ...this.#answer(arrival, nowMs),
    ]
    return [
      ...effects,
      seenFact(arrival, (server) => this.#isOurs(server)),
      ...answeredFacts(effects),
      ...refusedFacts(this.#tell.takeRefusal(), message),
    ]
  }

  /** Takes the answer of a `probe`. */
  probed(address: number, use: AddressUse, nowMs: number): Effect[] {
    this.#tell.takeRefusal()
    const effects = this.#full?.probed(address, use, nowMs) ?? []
    return [...effects, ...answeredFacts(effects), ...refusedFacts(this.#tell.takeRefusal())]
  }

  #isWithinRates({ bytes, interface: name, local, from }: Datagram, nowMs: number): boolean {
    const relay = bytes.subarray(giaddrAt, giaddrAt + 4)
    const isRelayed = relay.some((byte) => byte !== 0)
    const isUnicast = local !== undefined && from.address !== 0
    return (
      (!isUnicast || this.#ofSender.take(`${from.address}`, 1, nowMs)) &&
      (!isRelayed || this.#ofRelay.take(`${relay.join('.')} ${from.address}`, 1, nowMs)) &&
      this.#rateOf(name).take(isUnicast ? `${from.address}` : macIn(bytes), nowMs)
    )
  }

  /** Of one of our own interfaces, which are few. */
  #rateOf(name: string): FairRate {
    const rate = this.#ofInterface.get(name) ?? new FairRate(rates.interface)
    this.#ofInterface.set(name, rate)
    return rate
  }

  #answer(arrival: Arrival, nowMs: number): Effect[] {
    const { message, port } = arrival
    const boot = this.#bootFor(message)
    const server = serverOf(arrival, this.#site)
    const sample = server === undefined ? undefined : boot?.(server)
    const told = sample === undefined ? [] : this.#tellBoot(message, sample, nowMs)
    const canBoot = sample?.kind !== 'refused'
    if (port === 'dhcp' && this.#full !== undefined) {
      // It gets its address in any case: only its boot is refused.
      return [...told, ...this.#full.receive(arrival, boot, nowMs)]
    }
    if (boot === undefined) this.#tell.drop('not_netboot')
    if (boot === undefined || !canBoot) return told
    const answer = port === 'boot' ? bootServerReplies : proxyReplies
    return [...told, ...answer(arrival, boot, this.#site, this.#tell)]
  }

  #isOurs(server: number): boolean {
    return this.#site.interfaces.some(({ address }) => address === server)
  }

  #bootFor({ mac, bootClass, archCodes, isIpxe, ipxeFeatures }: DhcpMessage): BootFor {
    if (bootClass === undefined && !isIpxe) return undefined
    const { httpHost, httpPort } = this.#site
    const isHttpClient = bootClass === 'HTTPClient'
    const features = ipxeFeatures === undefined ? {} : { ipxeFeatures }
    const client = { mac, archCodes, isHttpClient, isIpxe, ...features }
    return (server) => chooseBoot(client, `${httpHost ?? formatIpv4(server)}:${httpPort}`)
  }

  #tellBoot({ mac, archCodes }: DhcpMessage, boot: BootChoice, nowMs: number): Effect[] {
    const facts = { mac, arch: archCodes.join(' ') }
    if (boot.kind === 'refused') {
      this.#tell.refuse('refused', mac, boot.reason)
      const text = `${mac} is not booted: ${boot.reason}`
      return this.#tell.once('warn', 'dhcp.refused', 'BOOT_REFUSED', facts, text, nowMs)
    }
    const file = boot.kind === 'tftp' ? boot.file : boot.url
    const text = `${mac} is told to load ${file}`
    return this.#tell.once('info', 'dhcp.boot', undefined, { ...facts, file }, text, nowMs)
  }

  /** Once for each stage of a boot. Snooping switches say it too, without being relays (giaddr 0). */
  #seen({ type, mac, relayPort }: DhcpMessage, nowMs: number): Effect[] {
    if (type !== 'discover' || relayPort === undefined) return []
    const ids = relayIds(relayPort)
    const text = `${mac} is behind ${ids.join(', ')} (option 82)`
    const told = this.#tell.once(
      'debug',
      'dhcp.relay-port',
      undefined,
      { mac, ids: ids.join(' ') },
      text,
      nowMs,
    )
    return ids.length === 0 ? [] : [{ kind: 'seen', mac, relayPort }, ...told]
  }

  /** A client that takes another server's offer shows us that server: wanted in proxy mode, a mistake in full mode. */
  #rival({ serverId, type, link }: DhcpMessage, nowMs: number): Effect[] {
    if (type !== 'request' || serverId === undefined || serverId === link?.serverOverride) return []
    if (this.#isOurs(serverId)) return []
    const server = formatIpv4(serverId)
    const found: Effect = { kind: 'other-server', address: serverId }
    const isMistake = this.#full !== undefined
    const text = isMistake
      ? `Another DHCP server, ${server}, gives addresses on this network; two servers do not know each other’s leases`
      : `Addresses come from the DHCP server ${server}`
    const code = isMistake ? 'DHCP_RIVAL' : undefined
    const event = isMistake ? 'dhcp.rival' : 'dhcp.site-server'
    const told = this.#tell.once(isMistake ? 'warn' : 'info', event, code, { server }, text, nowMs)
    return told.length === 0 ? [] : [found, ...told]
  }
}

function macIn(bytes: Uint8Array): string {
  return bytes.subarray(chaddrAt, chaddrAt + macBytes).join(':')
}

function bucketsOf({
  keysMax,
  perSecond,
  burst,
}: {
  keysMax: number
  perSecond: number
  burst: number
}): TokenBuckets {
  return new TokenBuckets(keysMax, perSecond, burst)
}
