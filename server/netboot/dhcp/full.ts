/**
 * Full mode: the site's only DHCP server (RFC 2131 4.3). Decides who gets which address; knows neither sockets nor
 * clocks. A broadcast does not show its interface: its DISCOVER is answered on every one that has a pool, with that
 * one's server address, and the REQUEST's server address then tells which it was.
 */

import { formatIpv4, inSubnet } from '../../../src/ipv4.js'
import type { BootChoice } from '../boot-choice.js'
import type { ThrottledLog } from './counters.js'
import { type Denial, PoolState } from './pool.js'
import { leaseOptions, makeReply, networkOptions, reasonOption } from './reply.js'
import type { Arrival, BootFor, DhcpSite, Effect, Lease } from './types.js'

/** An offer is held this long: EDK2 collects offers for up to 32 s before it chooses. */
const offerMs = 60_000
/** An address that a client found in use is not given away for this long. */
const declinedMs = 10 * 60_000
/** One that answered ARP: looked at again sooner, an entry may be a stale one of a machine that has gone. */
const answeredMs = 60_000
/** Addresses tried for one DISCOVER. */
const probesMax = 8

/** A pool and the address that its machines know us by. */
interface Scope {
  readonly state: PoolState
  readonly server: number
}

/** A DISCOVER that waits until its address is known to be free. */
interface Waiting {
  readonly arrival: Arrival
  readonly scope: Scope
  readonly address: number
  readonly boot: BootFor
  readonly probes: number
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
  readonly #waiting = new Map<string, Waiting>()

  constructor(site: DhcpSite, tell: ThrottledLog, leases: Iterable<Lease>) {
    this.#site = site
    this.#tell = tell
    const own = site.interfaces.map(({ address }) => address)
    this.#pools = site.pools.map((pool) => new PoolState(pool, site.reservations, own))
    for (const lease of leases) this.#poolOf(lease.address)?.restore(lease)
  }

  /** How many leases run. */
  countActive(nowMs: number): number {
    return this.#pools.reduce((sum, pool) => sum + pool.countActive(nowMs), 0)
  }

  /** Answers a message; `boot` is what the machine shall load, if it asks for that. */
  receive(arrival: Arrival, boot: BootFor, nowMs: number): Effect[] {
    switch (arrival.message.type) {
      case 'discover':
        return this.#scopesOf(arrival).flatMap((scope) => this.#discover(arrival, scope, boot, nowMs, 0))
      case 'request':
        return this.#request(arrival, boot, nowMs)
      case 'decline':
        return this.#decline(arrival, nowMs)
      case 'release':
        return this.#release(arrival, nowMs)
      case 'inform':
        return this.#inform(arrival, boot)
      default:
        return []
    }
  }

  /** Who uses an address, if anybody; continues the DISCOVERs that waited for it. */
  probed(address: number, user: string | undefined, nowMs: number): Effect[] {
    const effects: Effect[] = []
    for (const [key, waiting] of this.#waiting) {
      if (waiting.address !== address) continue
      this.#waiting.delete(key)
      const { arrival, scope, boot, probes } = waiting
      if (user === undefined || user === arrival.message.mac) {
        effects.push(this.#offer(arrival, scope, address, boot))
        continue
      }
      effects.push(
        ...this.#inConflict(scope.state, address, nowMs + answeredMs, `is used by ${user} without a lease`),
      )
      effects.push(...this.#discover(arrival, scope, boot, nowMs, probes + 1))
    }
    return effects
  }

  #discover(arrival: Arrival, scope: Scope, boot: BootFor, nowMs: number, probes: number): Effect[] {
    const { mac, requestedAddress } = arrival.message
    const { state } = scope
    const before = state.leaseOf(mac)
    const address = probes > probesMax ? undefined : state.choose(mac, requestedAddress, nowMs)
    if (address === undefined) {
      this.#tell.count('exhausted')
      const text = `No address is free for ${mac} in ${this.#rangeOf(state)}`
      return this.#tell.once('warn', 'dhcp.exhausted', 'DHCP_POOL_EXHAUSTED', { mac }, text, nowMs)
    }
    const isHeld = before?.address === address && before.expiresMs > nowMs
    if (!isHeld) state.bind({ mac, address, expiresMs: nowMs + offerMs, isOffer: true })
    // Without an interface there, ARP does not reach it: the relay's subnet is the clients' own to check (DECLINE).
    const via = this.#site.interfaces.find(({ subnet }) => inSubnet(subnet, address))
    if (isHeld && !this.#waiting.has(keyOf(mac, state))) return [this.#offer(arrival, scope, address, boot)]
    if (via === undefined) return [this.#offer(arrival, scope, address, boot)]
    // A repeated DISCOVER takes the place of the one that waits.
    const isProbed = this.#waiting.get(keyOf(mac, state))?.address === address
    this.#waiting.set(keyOf(mac, state), { arrival, scope, address, boot, probes })
    return isProbed ? [] : [{ kind: 'probe', address, via: via.address }]
  }

  #offer(arrival: Arrival, { state, server }: Scope, address: number, boot: BootFor): Effect {
    this.#tell.count('offers')
    return makeReply(arrival, {
      type: 'offer',
      server,
      yiaddr: address,
      isFull: true,
      more: this.#given(state),
      ...bootPart(boot, server),
    })
  }

  #request(arrival: Arrival, boot: BootFor, nowMs: number): Effect[] {
    const { mac, serverId, requestedAddress, packet } = arrival.message
    if (serverId !== undefined && !this.#isOurs(serverId)) {
      for (const state of this.#pools) if (state.leaseOf(mac)?.isOffer) state.release(mac, nowMs)
      return []
    }
    // One that names neither means what it was offered: node-dhcp's client does so, against RFC 2131 4.3.2.
    const offered = this.#pools.map((state) => state.leaseOf(mac)).find((lease) => lease?.isOffer)?.address
    const address = requestedAddress ?? (packet.ciaddr === 0 ? offered : packet.ciaddr)
    if (address === undefined) return this.#ignore(arrival, 'it asks for no address', nowMs)
    const scope = this.#scopesOf(arrival, serverId).find(({ state }) => inSubnet(state.pool.subnet, address))
    if (scope === undefined) return this.#refuseElsewhere(arrival, address, nowMs)
    const denial = scope.state.denial(mac, address, nowMs)
    if (denial !== undefined) return this.#nak(arrival, scope.server, address, denials[denial])
    const relayPort = arrival.message.relayPort ?? scope.state.leaseOf(mac)?.relayPort
    const lease: Lease = {
      mac,
      address,
      expiresMs: nowMs + this.#site.leaseS * 1000,
      ...(relayPort === undefined ? {} : { relayPort }),
    }
    const former = scope.state.bind(lease)
    this.#tell.count('acks')
    const reply = makeReply(arrival, {
      type: 'ack',
      server: scope.server,
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

  /** An address of no subnet of ours: a machine that was moved, unless a unicast or a relay that we do not serve. */
  #refuseElsewhere(arrival: Arrival, address: number, nowMs: number): Effect[] {
    const scopes = this.#scopesOf(arrival)
    const { packet } = arrival.message
    if (scopes.length === 0 || (arrival.local !== undefined && packet.giaddr === 0)) {
      return this.#ignore(arrival, `${formatIpv4(address)} is in no subnet that has a pool`, nowMs)
    }
    return scopes.flatMap(({ server }) => this.#nak(arrival, server, address, 'it is of another network'))
  }

  #nak(arrival: Arrival, server: number, address: number, why: string): Effect[] {
    this.#tell.count('naks')
    const { mac } = arrival.message
    const text = `${mac} cannot have ${formatIpv4(address)}: ${why}`
    return [
      makeReply(arrival, { type: 'nak', server, isFull: true, more: [reasonOption(why)] }),
      this.#tell.line('info', 'dhcp.nak', { mac, address: formatIpv4(address) }, text),
    ]
  }

  #decline(arrival: Arrival, nowMs: number): Effect[] {
    const { mac, requestedAddress, serverId } = arrival.message
    const state = requestedAddress === undefined ? undefined : this.#poolOf(requestedAddress)
    // Only who was given it may say so: else one machine could decline all addresses.
    if (state === undefined || requestedAddress === undefined) return []
    if (
      state.leaseOf(mac)?.address !== requestedAddress ||
      (serverId !== undefined && !this.#isOurs(serverId))
    ) {
      return this.#ignore(arrival, 'it declines an address that it was not given', nowMs)
    }
    return this.#inConflict(
      state,
      requestedAddress,
      nowMs + declinedMs,
      `was declined by ${mac}: another machine uses it`,
    )
  }

  #inConflict(state: PoolState, address: number, untilMs: number, what: string): Effect[] {
    this.#tell.count('conflicts')
    state.conflict(address, untilMs)
    const text = `${formatIpv4(address)} ${what}; nobody gets it for the next minutes`
    const facts = { address: formatIpv4(address), code: 'DHCP_ADDRESS_CONFLICT' }
    return [{ kind: 'forget', address }, this.#tell.line('warn', 'dhcp.conflict', facts, text)]
  }

  #release(arrival: Arrival, nowMs: number): Effect[] {
    const { mac, packet } = arrival.message
    const state = this.#poolOf(packet.ciaddr)
    if (state?.leaseOf(mac)?.address !== packet.ciaddr) {
      return this.#ignore(arrival, 'it releases an address that it does not have', nowMs)
    }
    const lease = state.release(mac, nowMs)
    return lease === undefined ? [] : [{ kind: 'lease', lease }]
  }

  /** RFC 2131 4.3.5: everything but an address and its time. */
  #inform(arrival: Arrival, boot: BootFor): Effect[] {
    const { ciaddr } = arrival.message.packet
    const scope = this.#scopesOf(arrival).find(({ state }) => inSubnet(state.pool.subnet, ciaddr))
    if (scope === undefined) return []
    this.#tell.count('acks')
    return [
      makeReply(arrival, {
        type: 'ack',
        server: scope.server,
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

  #ignore(arrival: Arrival, why: string, nowMs: number): Effect[] {
    this.#tell.count('ignored')
    const { mac, type } = arrival.message
    return this.#tell.once(
      'debug',
      'dhcp.ignored',
      undefined,
      { mac },
      `A ${type} of ${mac} is ignored: ${why}`,
      nowMs,
    )
  }

  /** The pools that a message may mean, with our address there. */
  #scopesOf({ message, local }: Arrival, serverId?: number): Scope[] {
    const { giaddr, ciaddr } = message.packet
    if (giaddr !== 0) {
      // Through a relay: its address tells the subnet (RFC 2131 4.3.1), and ours is the one that it knows.
      const state = this.#pools.find(({ pool }) => inSubnet(pool.subnet, giaddr))
      const server = serverId ?? local ?? this.#site.interfaces[0]?.address
      return state === undefined || server === undefined ? [] : [{ state, server }]
    }
    if (local !== undefined && ciaddr !== 0) {
      // A renewal, perhaps through a router from a subnet that only a relay reaches.
      const state = this.#poolOf(ciaddr)
      return state === undefined ? [] : [{ state, server: local }]
    }
    return this.#site.interfaces
      .filter(({ address }) => (local ?? serverId ?? address) === address)
      .flatMap(({ subnet, address }) => {
        const state = this.#pools.find(({ pool }) => pool.subnet.network === subnet.network)
        return state === undefined ? [] : [{ state, server: address }]
      })
  }

  #poolOf(address: number): PoolState | undefined {
    return this.#pools.find(({ pool }) => inSubnet(pool.subnet, address))
  }

  #isOurs(address: number): boolean {
    return this.#site.interfaces.some((own) => own.address === address)
  }

  #rangeOf({ pool }: PoolState): string {
    return `${formatIpv4(pool.first)}-${formatIpv4(pool.last)}`
  }
}

function keyOf(mac: string, { pool }: PoolState): string {
  return `${mac} ${pool.first}`
}

function bootPart(boot: BootFor, server: number): { boot?: BootChoice } {
  return boot === undefined ? {} : { boot: boot(server) }
}

function relayFacts({ relayPort }: Lease): Record<string, string> {
  return relayPort === undefined ? {} : { circuit: relayPort.circuitId, remote: relayPort.remoteId }
}
