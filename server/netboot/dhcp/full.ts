/**
 * Full mode: the site's only DHCP server (RFC 2131 4.3). Decides which address each machine gets, without sockets or
 * clocks. The pool follows from the interface where a message arrived, or from the link that its relay names: a machine
 * gets addresses of its own link only, however many pools there are.
 */

import type { Lease } from '../../../src/dhcp-lease.js'
import { formatIpv4, inSubnet } from '../../../src/ipv4.js'
import type { BootChoice, BootFor } from '../boot-choice.js'
import type { DhcpSite } from '../dhcp-site.js'
import type { AddressUse } from './arp.js'
import type { Arrival } from './arrival.js'
import type { DropReason } from './counters.js'
import type { Effect } from './effect.js'
import { type Denial, PoolState } from './pool.js'
import { leaseOptions, makeReply, networkOptions, reasonOption, serverOf } from './reply.js'
import type { ThrottledLog } from './throttled-log.js'

/** An offer is held this long: EDK2 collects offers for up to 32 s before it chooses. */
const offerMs = 60_000
/** An address that a client found in use is not given away for this long. */
const declinedMs = 10 * 60_000
/** One that answered ARP: tried again sooner, since the entry may be stale and its machine gone. */
const answeredMs = 60_000
/** Addresses tried for one DISCOVER. */
const probesMax = 8
/** Leases whose machines are being looked for at the same time. */
const checksMax = 64

/** A pool, and this server as the pool's machines see it. */
interface Scope {
  readonly state: PoolState
  readonly server: number
  /** Our address, or the server identifier that their relay demands (RFC 5107). */
  readonly serverId: number
}

/** A DISCOVER that waits until its address is known to be free. */
interface Waiting {
  readonly arrival: Arrival
  readonly scope: Scope
  readonly boot: BootFor
  readonly probes: number
}

/** A DISCOVER that waits for an address whose machine may have left. */
interface Check extends Waiting {
  readonly sinceMs: number
}

const denials: Record<Denial, string> = {
  reserved: 'it is reserved for another machine, or this machine has another reserved',
  outside: 'it is in no pool',
  'in-conflict': 'a machine without a lease uses it',
  taken: 'another machine has it',
}

/** The decisions of full mode. */
export class FullDhcp {
  readonly #site: DhcpSite
  readonly #pools: readonly PoolState[]
  readonly #tell: ThrottledLog
  /** By the address that they are to get. */
  readonly #waiting = new Map<number, Waiting>()
  /** By an address that another machine has, and may have left. */
  readonly #checks = new Map<number, Check>()

  constructor(site: DhcpSite, tell: ThrottledLog, leases: Iterable<Lease>) {
    this.#site = site
    this.#tell = tell
    const own = site.interfaces.map(({ address }) => address)
    this.#pools = site.pools.map((pool) => new PoolState(pool, site.reservations, own))
    for (const lease of leases) this.#poolOf(lease.address)?.restore(lease)
  }

  /** How many leases are active. */
  countActive(nowMs: number): number {
    return this.#pools.reduce((sum, pool) => sum + pool.countActive(nowMs), 0)
  }

  /** Answers a message; `boot` is what the machine shall load, if it asks for that. */
  receive(arrival: Arrival, boot: BootFor, nowMs: number): Effect[] {
    switch (arrival.message.type) {
      case 'discover':
        return this.#discover(arrival, boot, nowMs, 0)
      case 'request':
        return this.#request(arrival, boot, nowMs)
      case 'decline':
        return this.#decline(arrival, nowMs)
      case 'release':
        return this.#release(arrival, nowMs)
      case 'inform':
        return this.#inform(arrival, boot, nowMs)
      default:
        this.#tell.drop('wrong_type')
        return []
    }
  }

  /** Takes the result of an ARP probe; continues the DISCOVER that waited for it. */
  probed(address: number, use: AddressUse, nowMs: number): Effect[] {
    const check = this.#checks.get(address)
    if (check !== undefined) return this.#checked(address, check, use, nowMs)
    const waiting = this.#waiting.get(address)
    if (waiting === undefined) return []
    this.#waiting.delete(address)
    const { arrival, scope, boot, probes } = waiting
    const { mac } = arrival.message
    if (use.kind === 'free') scope.state.cleared(address, nowMs)
    if (scope.state.leaseOf(mac)?.address !== address) return []
    if (use.kind !== 'used' || use.by === mac) return [this.#offer(arrival, scope, address, boot)]
    scope.state.conflict(address, nowMs + answeredMs)
    return [
      ...this.#inConflict(address, `is used by ${use.by} without a lease`),
      ...this.#discover(arrival, boot, nowMs, probes + 1),
    ]
  }

  /** Nobody answers at an address that is leased, and no other one is free: another machine gets it. */
  #checked(address: number, check: Check, use: AddressUse, nowMs: number): Effect[] {
    const { arrival, scope, boot, probes, sinceMs } = check
    this.#checks.delete(address)
    const former = use.kind === 'free' ? scope.state.reclaim(address, sinceMs, nowMs) : undefined
    const reclaimed: Effect[] = []
    if (former !== undefined) {
      this.#tell.count('reclaimed')
      const text = `${formatIpv4(address)} is taken back from ${former.mac}: nobody answers there, and no address is free`
      const facts = { address: formatIpv4(address), mac: former.mac }
      reclaimed.push({ kind: 'forget', address }, this.#tell.line('info', 'dhcp.reclaimed', facts, text))
    }
    return [...reclaimed, ...this.#discover(arrival, boot, nowMs, probes + 1)]
  }

  #discover(arrival: Arrival, boot: BootFor, nowMs: number, probes: number): Effect[] {
    const { mac, relayPort } = arrival.message
    const scopes = this.#scopesOf(arrival)
    if (scopes.length === 0) return this.#withoutPool(arrival, nowMs)
    const chosen = probes > probesMax ? undefined : choose(scopes, arrival, nowMs)
    if (chosen === undefined)
      return this.#check(arrival, boot, nowMs, probes) ?? this.#exhausted(mac, scopes, nowMs)
    const { scope, address } = chosen
    const { state } = scope
    const before = state.leaseOf(mac)
    const isHeld = before?.address === address && before.expiresMs > nowMs
    const offer = { mac, address, expiresMs: nowMs + offerMs, ...(relayPort && { relayPort }) }
    if (!isHeld && state.isOffered(address, nowMs)) this.#tell.count('recalled')
    if (!isHeld) state.bind({ ...offer, isOffer: true })
    const isWaiting = isHeld && this.#waiting.has(address)
    const isKnownFree = (isHeld && !isWaiting) || state.isClear(address, nowMs)
    // Without an interface there, ARP does not reach it: the relay's subnet is the clients' own to check (DECLINE).
    const via = this.#site.interfaces.find(({ subnet }) => inSubnet(subnet, address))
    if (isKnownFree || via === undefined) return [this.#offer(arrival, scope, address, boot)]
    // A repeated DISCOVER replaces the one that waits.
    this.#waiting.set(address, { arrival, scope, boot, probes })
    if (!isWaiting) return [{ kind: 'probe', address, via: via.address, isThorough: false }]
    this.#tell.count('repeated')
    return []
  }

  /** Looks for the machine of a lease that has been silent for longest, where ARP reaches it. */
  #check(arrival: Arrival, boot: BootFor, nowMs: number, probes: number): Effect[] | undefined {
    if (probes > probesMax || this.#checks.size >= checksMax) return undefined
    for (const scope of this.#scopesOf(arrival)) {
      const { network } = scope.state.pool.subnet
      const via = this.#site.interfaces.find(({ subnet }) => subnet.network === network)
      if (via === undefined || scope.state.hasItsShare(arrival.message.relayPort, nowMs)) continue
      const address = scope.state.suspect(nowMs)
      if (address === undefined) continue
      this.#checks.set(address, { arrival, scope, boot, probes, sinceMs: nowMs })
      return [{ kind: 'probe', address, via: via.address, isThorough: true }]
    }
    return undefined
  }

  #exhausted(mac: string, scopes: readonly Scope[], nowMs: number): Effect[] {
    const ranges = scopes.map(({ state }) => rangeOf(state)).join(', ')
    this.#tell.refuse('exhausted', mac, `no address is free in ${ranges}`)
    const text = `No address is free for ${mac} in ${ranges}`
    return this.#tell.once('warn', 'dhcp.exhausted', 'DHCP_POOL_EXHAUSTED', { mac }, text, nowMs)
  }

  #offer(arrival: Arrival, { state, server, serverId }: Scope, address: number, boot: BootFor): Effect {
    this.#tell.count('offers')
    return makeReply(arrival, {
      type: 'offer',
      server,
      serverId,
      yiaddr: address,
      isFull: true,
      more: this.#given(state),
      ...bootPart(boot, server),
    })
  }

  #request(arrival: Arrival, boot: BootFor, nowMs: number): Effect[] {
    const { mac, serverId, requestedAddress, packet } = arrival.message
    const scopes = this.#scopesOf(arrival)
    if (serverId !== undefined && !this.#isMeant(arrival, serverId)) {
      for (const { state } of scopes) if (state.leaseOf(mac)?.isOffer) state.release(mac, nowMs)
      return this.#drop(arrival, 'other_server', `it takes the offer of ${formatIpv4(serverId)}`, nowMs)
    }
    // Without either it means the address that it was offered: node-dhcp's client, against RFC 2131 4.3.2.
    const offered = scopes.map(({ state }) => state.leaseOf(mac)).find((lease) => lease?.isOffer)?.address
    const address = requestedAddress ?? (packet.ciaddr === 0 ? offered : packet.ciaddr)
    if (address === undefined) return this.#drop(arrival, 'no_address', 'it asks for no address', nowMs)
    const scope = scopes.find(({ state }) => inSubnet(state.pool.subnet, address))
    if (scope === undefined) return this.#refuseElsewhere(arrival, scopes, address, nowMs)
    const denial = scope.state.denial(mac, address, nowMs)
    if (denial !== undefined) return this.#nak(arrival, scope, address, denials[denial])
    const before = scope.state.leaseOf(mac)
    const relayPort = arrival.message.relayPort ?? before?.relayPort
    // RFC 2131 4.3.2: a machine of which nothing is known gets no answer.
    if (before === undefined && scope.state.hasItsShare(relayPort, nowMs))
      return this.#exhausted(mac, scopes, nowMs)
    const lease: Lease = {
      mac,
      address,
      expiresMs: nowMs + this.#site.leaseS * 1000,
      ...(relayPort === undefined ? {} : { relayPort }),
    }
    const former = scope.state.bind(lease)
    scope.state.heard(address, nowMs)
    this.#tell.count('acks')
    const reply = makeReply(arrival, {
      type: 'ack',
      server: scope.server,
      serverId: scope.serverId,
      yiaddr: address,
      ciaddr: packet.ciaddr,
      isFull: true,
      more: this.#given(scope.state),
      ...bootPart(boot, scope.server),
    })
    const forget: Effect[] = former === undefined ? [] : [{ kind: 'forget', address: former }]
    const text = `${mac} has ${formatIpv4(address)}`
    const facts = { mac, address: formatIpv4(address), ...relayFacts(lease) }
    return [reply, ...forget, { kind: 'lease', lease }, this.#tell.line('debug', 'dhcp.leased', facts, text)]
  }

  /** The address is of another link: the machine was moved. A unicast may come from anywhere, so it gets no NAK. */
  #refuseElsewhere(arrival: Arrival, scopes: readonly Scope[], address: number, nowMs: number): Effect[] {
    const [scope] = scopes
    const isUnicast = arrival.local !== undefined && arrival.message.link === undefined
    if (scope === undefined || isUnicast) return this.#withoutPool(arrival, nowMs)
    return this.#nak(arrival, scope, address, 'it is of another network')
  }

  #nak(arrival: Arrival, { server, serverId }: Scope, address: number, why: string): Effect[] {
    this.#tell.count('naks')
    const { mac } = arrival.message
    const text = `${mac} cannot have ${formatIpv4(address)}: ${why}`
    return [
      makeReply(arrival, { type: 'nak', server, serverId, isFull: true, more: [reasonOption(why)] }),
      this.#tell.line('info', 'dhcp.nak', { mac, address: formatIpv4(address) }, text),
    ]
  }

  #decline(arrival: Arrival, nowMs: number): Effect[] {
    const { mac, requestedAddress, serverId } = arrival.message
    if (requestedAddress === undefined) return this.#drop(arrival, 'no_address', 'it names no address', nowMs)
    const state = this.#scopesOf(arrival).find(({ state: { pool } }) =>
      inSubnet(pool.subnet, requestedAddress),
    )?.state
    const isMeant = serverId === undefined || this.#isMeant(arrival, serverId)
    // Only the machine that was given it may: otherwise one machine could decline all addresses.
    if (state?.leaseOf(mac)?.address !== requestedAddress || state === undefined || !isMeant) {
      return this.#drop(arrival, 'not_its_own', 'it declines an address that it was not given', nowMs)
    }
    state.declined(requestedAddress, nowMs + declinedMs)
    return this.#inConflict(requestedAddress, `was declined by ${mac}: another machine uses it`)
  }

  #inConflict(address: number, what: string): Effect[] {
    this.#tell.count('conflicts')
    const text = `${formatIpv4(address)} ${what}; it is not offered for the next minutes`
    const facts = { address: formatIpv4(address), code: 'DHCP_ADDRESS_CONFLICT' }
    return [{ kind: 'forget', address }, this.#tell.line('warn', 'dhcp.conflict', facts, text)]
  }

  #release(arrival: Arrival, nowMs: number): Effect[] {
    const { mac, packet } = arrival.message
    const state = this.#scopesOf(arrival).find(({ state: { pool } }) =>
      inSubnet(pool.subnet, packet.ciaddr),
    )?.state
    if (state?.leaseOf(mac)?.address !== packet.ciaddr || state === undefined) {
      return this.#drop(arrival, 'not_its_own', 'it releases an address that it does not have', nowMs)
    }
    const lease = state.release(mac, nowMs)
    return lease === undefined ? [] : [{ kind: 'lease', lease }]
  }

  /** RFC 2131 4.3.5: everything but an address and a lease time. */
  #inform(arrival: Arrival, boot: BootFor, nowMs: number): Effect[] {
    const { ciaddr } = arrival.message.packet
    const scope = this.#scopesOf(arrival).find(({ state }) => inSubnet(state.pool.subnet, ciaddr))
    if (scope === undefined) return this.#withoutPool(arrival, nowMs)
    this.#tell.count('acks')
    return [
      makeReply(arrival, {
        type: 'ack',
        server: scope.server,
        serverId: scope.serverId,
        ciaddr,
        isFull: true,
        more: networkOptions(scope.state.pool),
        ...bootPart(boot, scope.server),
      }),
    ]
  }

  #given(state: PoolState): [number, Buffer][] {
    return [...leaseOptions(this.#site.leaseS), ...networkOptions(state.pool)]
  }

  #drop(arrival: Arrival, reason: DropReason, why: string, nowMs: number): Effect[] {
    this.#tell.drop(reason)
    const { mac, type } = arrival.message
    const text = `A ${type} of ${mac} is ignored: ${why}`
    return this.#tell.once('debug', 'dhcp.ignored', undefined, { mac, reason }, text, nowMs)
  }

  /** A relay is set up on purpose, so it deserves a warning that its network has no pool. */
  #withoutPool(arrival: Arrival, nowMs: number): Effect[] {
    const { link, packet } = arrival.message
    if (link === undefined) {
      return this.#drop(arrival, 'no_pool', `no pool is of its network (${arrival.interface})`, nowMs)
    }
    this.#tell.drop('no_pool')
    const facts = { relay: formatIpv4(packet.giaddr), link: formatIpv4(link.address), source: link.source }
    const text = `The relay ${facts.relay} asks for addresses of the network of ${facts.link} (${link.source}): no pool is of it`
    return this.#tell.once('warn', 'dhcp.no-pool', 'DHCP_NO_POOL', facts, text, nowMs)
  }

  /** The pools of the link that a message comes from; several where one interface has addresses in several subnets. */
  #scopesOf(arrival: Arrival): Scope[] {
    const { local, interface: name, message } = arrival
    const { link, serverId, packet } = message
    if (link !== undefined) {
      const state = this.#poolOf(link.address)
      const named = serverId !== undefined && this.#isOurs(serverId) ? serverId : undefined
      const server = named ?? serverOf(arrival, this.#site)
      if (state === undefined || server === undefined) return []
      return [{ state, server, serverId: link.serverOverride ?? server }]
    }
    if (local !== undefined && packet.ciaddr !== 0) {
      // A renewal, perhaps through a router from a subnet that only a relay reaches.
      const state = this.#poolOf(packet.ciaddr)
      return state === undefined ? [] : [{ state, server: local, serverId: local }]
    }
    return this.#site.interfaces
      .filter((own) => own.name === name && (local ?? own.address) === own.address)
      .flatMap(({ subnet, address }) => {
        const state = this.#pools.find(({ pool }) => pool.subnet.network === subnet.network)
        return state === undefined ? [] : [{ state, server: address, serverId: address }]
      })
  }

  #poolOf(address: number): PoolState | undefined {
    return this.#pools.find(({ pool }) => inSubnet(pool.subnet, address))
  }

  #isOurs(address: number): boolean {
    return this.#site.interfaces.some((own) => own.address === address)
  }

  /** Whether we are the server that a message names; of a broadcast, on the interface where it came in. */
  #isMeant({ message: { link }, local, interface: name }: Arrival, serverId: number): boolean {
    if (link !== undefined || local !== undefined) {
      return serverId === link?.serverOverride || this.#isOurs(serverId)
    }
    return this.#site.interfaces.some((own) => own.name === name && own.address === serverId)
  }
}

/** Chooses a machine's address from the pools of its link: reserved or known ones first, then the one it asks for, then a new one. */
function choose(
  scopes: readonly Scope[],
  { message: { mac, requestedAddress, relayPort } }: Arrival,
  nowMs: number,
): { scope: Scope; address: number } | undefined {
  const ways = [
    (state: PoolState) => state.known(mac, undefined, nowMs),
    (state: PoolState) => state.known(mac, requestedAddress, nowMs),
    (state: PoolState) => state.choose(mac, requestedAddress, nowMs, relayPort),
  ]
  for (const way of scopes.length > 1 ? ways : ways.slice(-1)) {
    for (const scope of scopes) {
      const address = way(scope.state)
      if (address !== undefined) return { scope, address }
    }
  }
  return undefined
}

function rangeOf({ pool }: PoolState): string {
  return `${formatIpv4(pool.first)}-${formatIpv4(pool.last)}`
}

function bootPart(boot: BootFor, server: number): { boot?: BootChoice } {
  return boot === undefined ? {} : { boot: boot(server) }
}

function relayFacts({ relayPort }: Lease): Record<string, string> {
  return relayPort === undefined ? {} : { circuit: relayPort.circuitId, remote: relayPort.remoteId }
}
