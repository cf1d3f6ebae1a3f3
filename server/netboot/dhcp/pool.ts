/** The leases of one pool, and which address a machine gets next. Pure: the time is passed in. */

import type { Lease, RelayPort } from '../../../src/dhcp-lease.js'
import { inSubnet } from '../../../src/ipv4.js'
import { DHCP_RECALLED_MAX } from '../../../src/limits.js'
import type { DhcpPool } from '../dhcp-site.js'

/** An address that a probe found free is not asked for again for this long. */
const clearMs = 60_000

/**
 * A machine that has said something is not looked for sooner than this. One that is between its firmware and Linux does not
 * answer for longer, but asks for an address again.
 */
const quietMs = 10_000

/** The share of a pool that machines may declare to be in use by others, without a proof of ours. */
const declinedShare = 1 / 4

/**
 * Where relays name the ports of switches, machines behind one port get this share of a pool, or so many addresses if that
 * is more: a port is one machine or a small switch. With fewer ports than this the names are those of whole networks.
 */
const ofPort = { share: 1 / 8, addressesMin: 32, portsMin: 8 } as const

/** Addresses that are tried from a machine's own place on: where the pool has room, one of them is free. */
const nearMax = 64
/**
 * Where none is, all are looked at, but only this often, milliseconds: a flood of invented machines does not make it more work. Where
 * nothing was found the next look waits until something can be free.
 */
const searchMs = { min: 100, max: 5000 } as const

/** Why an address is not this machine's. */
export type Denial = 'reserved' | 'outside' | 'in-conflict' | 'taken'

/** What the pool knows of a machine and its address. */
export interface Binding extends Lease {
  /** Only offered yet: not kept for the next start, and given back when the machine takes another server's. */
  readonly isOffer?: true
}

/** The addresses of one pool. Reservations may lie outside its range, but in its subnet. */
export class PoolState {
  readonly pool: DhcpPool
  /** Reserved addresses by machine, and machines by reserved address. */
  readonly #reserved = new Map<string, number>()
  readonly #reservedFor = new Map<number, string>()
  readonly #byMac = new Map<string, Binding>()
  readonly #byAddress = new Map<number, Binding>()
  /** Offers that nobody has asked for yet, the oldest first. */
  readonly #offers = new Map<number, Binding>()
  /** Machines whose offer was given to another, with its address; the oldest go first. */
  readonly #recalled = new Map<string, number>()
  /** By the port of a switch: the addresses of the machines behind it. */
  readonly #byPort = new Map<string, Set<number>>()
  /** Addresses in use without a lease, and until when they are not offered. */
  readonly #inConflict = new Map<number, number>()
  /** Of these, those that a machine declined: nothing else says so. The oldest first. */
  readonly #declined = new Set<number>()
  /** When the machine of a lease was heard last, those not heard for longest first. */
  readonly #heard = new Map<number, number>()
  /** When a probe found an address free. */
  readonly #clear = new Map<number, number>()
  /** Free at the last search, or given back since. Those that nobody has had first, then the longest expired. */
  readonly #spare = new Set<number>()
  #searchAtMs = Number.NEGATIVE_INFINITY

  constructor(
    pool: DhcpPool,
    reservations: Iterable<{ mac: string; address: number }>,
    own: readonly number[],
  ) {
    this.pool = pool
    for (const { mac, address } of reservations) {
      if (!inSubnet(pool.subnet, address)) continue
      this.#reserved.set(mac, address)
      this.#reservedFor.set(address, mac)
    }
    // Never given away: this machine's own addresses and the router's.
    for (const address of [...own, pool.router])
      if (inSubnet(pool.subnet, address)) this.#reservedFor.set(address, '')
  }

  /** Restores a lease of an earlier run; false if the configuration no longer permits it. */
  restore(lease: Lease): boolean {
    if (this.denial(lease.mac, lease.address, 0) !== undefined) return false
    this.#put(lease)
    this.heard(lease.address, 0)
    return true
  }

  /** Why the machine cannot have the address now; undefined: it can. */
  denial(mac: string, address: number, nowMs: number): Denial | undefined {
    const reserved = this.#reserved.get(mac)
    if (reserved !== undefined && reserved !== address) return 'reserved'
    if (reserved === undefined) {
      if (this.#reservedFor.has(address)) return 'reserved'
      if (address < this.pool.first || address > this.pool.last) return 'outside'
    }
    if ((this.#inConflict.get(address) ?? 0) > nowMs) return 'in-conflict'
    const holder = this.#byAddress.get(address)
    if (holder === undefined || holder.mac === mac || holder.expiresMs <= nowMs) return undefined
    return holder.isOffer && this.#recalled.get(mac) === address ? undefined : 'taken'
  }

  /** The address that is reserved for the machine, that it had, or that it wants, if it can have it. */
  known(mac: string, wanted: number | undefined, nowMs: number): number | undefined {
    const can = (address: number | undefined): address is number =>
      address !== undefined && this.denial(mac, address, nowMs) === undefined
    return [this.#reserved.get(mac), this.#byMac.get(mac)?.address, wanted].find(can)
  }

  /**
   * The address to offer the machine; undefined if none is free. Where none is, the oldest offer that nobody has asked for
   * is recalled, then an address that was declined: anybody can invent machines, and let them decline.
   */
  choose(mac: string, wanted: number | undefined, nowMs: number, relayPort?: RelayPort): number | undefined {
    const known = this.known(mac, wanted, nowMs)
    if (known !== undefined) return known
    if (this.hasItsShare(relayPort, nowMs)) return this.#oldestOfferOf(relayPort)
    const free = this.#unused(mac, nowMs) ?? this.#spareFor(mac, nowMs)
    if (free !== undefined) return free
    const [recalled = this.#release()] = this.#offers.keys()
    return recalled
  }

  /** Whether the machines behind this port of a switch have all the addresses that they get. */
  hasItsShare(relayPort: RelayPort | undefined, nowMs: number): boolean {
    if (relayPort === undefined || this.#byPort.size < ofPort.portsMin) return false
    let active = 0
    for (const address of this.#byPort.get(portKey(relayPort)) ?? []) {
      if ((this.#byAddress.get(address)?.expiresMs ?? 0) > nowMs) active++
    }
    return active >= Math.max(ofPort.addressesMin, this.#size * ofPort.share)
  }

  /** Whether somebody has an offer of the address, and has not asked for it. */
  isOffered(address: number, nowMs: number): boolean {
    return (this.#offers.get(address)?.expiresMs ?? 0) > nowMs
  }

  /** Whether a probe found the address free a short while ago. */
  isClear(address: number, nowMs: number): boolean {
    const foundMs = this.#clear.get(address)
    return foundMs !== undefined && nowMs - foundMs < clearMs
  }

  /** A probe found the address free. */
  cleared(address: number, nowMs: number): void {
    this.#clear.set(address, nowMs)
  }

  /** The lease of a machine, expired or not. */
  leaseOf(mac: string): Binding | undefined {
    return this.#byMac.get(mac)
  }

  /** Records the lease; the result is the machine's former address, if that was another. */
  bind(lease: Binding): number | undefined {
    const before = this.#byMac.get(lease.mac)
    this.#put(lease)
    if (before === undefined || before.address === lease.address) return undefined
    this.#spare.add(before.address)
    return before.address
  }

  /** The machine that has this address is there. */
  heard(address: number, nowMs: number): void {
    this.#heard.delete(address)
    this.#heard.set(address, nowMs)
  }

  /** The address whose machine has been silent for longest, if it may have left; asked again, another one. */
  suspect(nowMs: number): number | undefined {
    for (const [address, heardMs] of this.#heard) {
      if (nowMs - heardMs < quietMs) return undefined
      this.heard(address, nowMs)
      if (!this.#reservedFor.has(address)) return address
    }
    return undefined
  }

  /** Takes an address back that nobody answers at; undefined if its machine was heard since it was a {@link suspect}. */
  reclaim(address: number, sinceMs: number, nowMs: number): Binding | undefined {
    const lease = this.#byAddress.get(address)
    if (lease === undefined || this.#heard.get(address) !== sinceMs) return undefined
    this.#drop(lease)
    this.cleared(address, nowMs)
    this.#spare.add(address)
    return lease
  }

  /** Ends the machine's lease now; while the address is free, the machine gets it again. */
  release(mac: string, nowMs: number): Lease | undefined {
    const lease = this.#byMac.get(mac)
    if (lease === undefined) return undefined
    const released = { ...lease, expiresMs: Math.min(lease.expiresMs, nowMs) }
    this.#put(released)
    this.#spare.add(released.address)
    return released
  }

  /** A machine uses the address without a lease: it is not offered before `untilMs`. */
  conflict(address: number, untilMs: number): void {
    const holder = this.#byAddress.get(address)
    if (holder !== undefined) this.#drop(holder)
    this.#clear.delete(address)
    this.#declined.delete(address)
    this.#inConflict.set(address, untilMs)
  }

  /** The machine that was given the address says that another uses it. Of too many such, the oldest is offered again. */
  declined(address: number, untilMs: number): void {
    this.conflict(address, untilMs)
    this.#declined.add(address)
    if (this.#declined.size > Math.max(1, this.#size * declinedShare)) this.#release()
  }

  /** How many leases are active. */
  countActive(nowMs: number): number {
    let count = 0
    for (const lease of this.#byMac.values()) if (lease.expiresMs > nowMs) count++
    return count
  }

  /** An address that no machine has had, near a hash of the MAC address: a machine whose lease was lost often gets the same one. */
  #unused(mac: string, nowMs: number): number | undefined {
    const { first } = this.pool
    if (this.#byAddress.size >= this.#size + this.#reserved.size) return undefined
    const start = hash(mac) % this.#size
    for (let step = 0; step < Math.min(nearMax, this.#size); step++) {
      const address = first + ((start + step) % this.#size)
      if (!this.#byAddress.has(address) && this.denial(mac, address, nowMs) === undefined) return address
    }
    return undefined
  }

  #spareFor(mac: string, nowMs: number): number | undefined {
    // It can have no other one.
    if (this.#reserved.has(mac)) return undefined
    if (nowMs >= this.#searchAtMs) this.#search(nowMs)
    for (const address of this.#spare) {
      this.#spare.delete(address)
      if (this.denial(mac, address, nowMs) === undefined) return address
    }
    return undefined
  }

  #search(nowMs: number): void {
    const expired: Binding[] = []
    let nextMs = Number.POSITIVE_INFINITY
    this.#spare.clear()
    for (let address = this.pool.first; address <= this.pool.last; address++) {
      if (this.#reservedFor.has(address)) continue
      const lease = this.#byAddress.get(address)
      const freeMs = Math.max(lease?.expiresMs ?? 0, this.#inConflict.get(address) ?? 0)
      if (freeMs > nowMs) nextMs = Math.min(nextMs, freeMs)
      else if (lease === undefined) this.#spare.add(address)
      else expired.push(lease)
    }
    for (const { address } of expired.sort((a, b) => a.expiresMs - b.expiresMs)) this.#spare.add(address)
    const restMs = this.#spare.size > 0 ? searchMs.min : Math.min(nextMs - nowMs, searchMs.max)
    this.#searchAtMs = nowMs + Math.max(restMs, searchMs.min)
  }

  get #size(): number {
    return this.pool.last - this.pool.first + 1
  }

  #oldestOfferOf(relayPort: RelayPort | undefined): number | undefined {
    const own = relayPort === undefined ? undefined : this.#byPort.get(portKey(relayPort))
    return [...(own ?? [])].find((address) => this.#offers.has(address))
  }

  /** Offers the address again that was declined first; the result is that address. */
  #release(): number | undefined {
    const [address] = this.#declined
    if (address === undefined) return undefined
    this.#declined.delete(address)
    this.#inConflict.delete(address)
    this.#spare.add(address)
    return address
  }

  #put(lease: Binding): void {
    const before = this.#byMac.get(lease.mac)
    if (before !== undefined) this.#drop(before)
    const holder = this.#byAddress.get(lease.address)
    if (holder !== undefined) this.#drop(holder)
    if (holder?.isOffer && lease.isOffer) this.#recall(holder)
    this.#recalled.delete(lease.mac)
    this.#byMac.set(lease.mac, lease)
    this.#byAddress.set(lease.address, lease)
    if (lease.isOffer) this.#offers.set(lease.address, lease)
    if (lease.relayPort === undefined) return
    const port = portKey(lease.relayPort)
    const others = this.#byPort.get(port)
    if (others === undefined) this.#byPort.set(port, new Set([lease.address]))
    else others.add(lease.address)
  }

  #drop({ mac, address, relayPort }: Binding): void {
    this.#byMac.delete(mac)
    this.#byAddress.delete(address)
    this.#offers.delete(address)
    this.#heard.delete(address)
    if (relayPort === undefined) return
    const port = portKey(relayPort)
    const others = this.#byPort.get(port)
    others?.delete(address)
    if (others?.size === 0) this.#byPort.delete(port)
  }

  #recall({ mac, address }: Binding): void {
    this.#recalled.set(mac, address)
    if (this.#recalled.size <= DHCP_RECALLED_MAX) return
    for (const oldest of this.#recalled.keys()) {
      this.#recalled.delete(oldest)
      break
    }
  }
}

function portKey({ circuitId, remoteId }: RelayPort): string {
  return `${circuitId} ${remoteId}`
}

/** FNV-1a; any hash that spreads well would do. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0
  return value
}
