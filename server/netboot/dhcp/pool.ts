/** The leases of one pool, and which address a machine gets next. Pure: the time is passed in. */

import type { Lease } from '../../../src/dhcp-lease.js'
import { inSubnet } from '../../../src/ipv4.js'
import type { DhcpPool } from '../dhcp-site.js'

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
  /** Addresses in use without a lease, and until when they are not offered. */
  readonly #inConflict = new Map<number, number>()
  /** Nothing is free before this time: a flood need not search each time. */
  #fullUntilMs = 0

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
    return holder !== undefined && holder.mac !== mac && holder.expiresMs > nowMs ? 'taken' : undefined
  }

  /** The address that is reserved for the machine, that it had, or that it wants, if it can have it. */
  known(mac: string, wanted: number | undefined, nowMs: number): number | undefined {
    const can = (address: number | undefined): address is number =>
      address !== undefined && this.denial(mac, address, nowMs) === undefined
    return [this.#reserved.get(mac), this.#byMac.get(mac)?.address, wanted].find(can)
  }

  /** The address to offer the machine; undefined if none is free. */
  choose(mac: string, wanted: number | undefined, nowMs: number): number | undefined {
    const known = this.known(mac, wanted, nowMs)
    if (known !== undefined) return known
    if (nowMs < this.#fullUntilMs) return undefined
    return this.#unused(mac, nowMs) ?? this.#longestExpired(mac, nowMs)
  }

  /** The lease of a machine, expired or not. */
  leaseOf(mac: string): Binding | undefined {
    return this.#byMac.get(mac)
  }

  /** Records the lease; the result is the machine's former address, if that was another. */
  bind(lease: Binding): number | undefined {
    const before = this.#byMac.get(lease.mac)
    this.#put(lease)
    return before !== undefined && before.address !== lease.address ? before.address : undefined
  }

  /** Ends the machine's lease now; while the address is free, the machine gets it again. */
  release(mac: string, nowMs: number): Lease | undefined {
    const lease = this.#byMac.get(mac)
    if (lease === undefined) return undefined
    const released = { ...lease, expiresMs: Math.min(lease.expiresMs, nowMs) }
    this.#put(released)
    this.#fullUntilMs = 0
    return released
  }

  /** A machine uses the address without a lease: it is not offered before `untilMs`. */
  conflict(address: number, untilMs: number): void {
    const holder = this.#byAddress.get(address)
    if (holder !== undefined) this.#drop(holder)
    this.#inConflict.set(address, untilMs)
  }

  /** How many leases are active. */
  countActive(nowMs: number): number {
    let count = 0
    for (const lease of this.#byMac.values()) if (lease.expiresMs > nowMs) count++
    return count
  }

  /** An address that no machine has had. The search starts at a hash of the MAC address, so a machine whose lease was lost often gets the same one. */
  #unused(mac: string, nowMs: number): number | undefined {
    const { first, last } = this.pool
    const size = last - first + 1
    if (this.#byAddress.size >= size + this.#reserved.size) return undefined
    const start = hash(mac) % size
    for (let step = 0; step < size; step++) {
      const address = first + ((start + step) % size)
      if (!this.#byAddress.has(address) && this.denial(mac, address, nowMs) === undefined) return address
    }
    return undefined
  }

  #longestExpired(mac: string, nowMs: number): number | undefined {
    let best: Binding | undefined
    let nextMs = Number.POSITIVE_INFINITY
    for (const lease of this.#byAddress.values()) {
      nextMs = Math.min(nextMs, lease.expiresMs)
      if (this.denial(mac, lease.address, nowMs) !== undefined) continue
      if (best === undefined || lease.expiresMs < best.expiresMs) best = lease
    }
    if (best !== undefined) return best.address
    for (const untilMs of this.#inConflict.values()) if (untilMs > nowMs) nextMs = Math.min(nextMs, untilMs)
    // Not for long in any case: an address may become free earlier.
    this.#fullUntilMs = Math.min(Math.max(nextMs, nowMs + 100), nowMs + 5_000)
    return undefined
  }

  #put(lease: Binding): void {
    const before = this.#byMac.get(lease.mac)
    if (before !== undefined) this.#drop(before)
    const holder = this.#byAddress.get(lease.address)
    if (holder !== undefined) this.#drop(holder)
    this.#byMac.set(lease.mac, lease)
    this.#byAddress.set(lease.address, lease)
  }

  #drop({ mac, address }: Binding): void {
    this.#byMac.delete(mac)
    this.#byAddress.delete(address)
  }
}

/** FNV-1a; any hash that spreads well would do. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0
  return value
}
