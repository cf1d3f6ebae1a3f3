/**
 * The nodes that wait for their turn: in the order of their coming, but an address that has fewer turns goes before one
 * that has more. Pure; time is an argument.
 *
 * Anybody can make up MAC addresses, so the places are bounded, of each address and in all. Where they are all taken, one
 * goes that nobody came back for.
 */

/** A node's place. */
export interface Place {
  readonly key: string
  readonly address: string
  readonly sinceMs: number
  /** Its number in the order of coming. */
  readonly number: number
  /** When it asked last. */
  heardMs: number
  /** It is expected to be here, or back, until then. */
  dueMs: number
  /** Its request is being held: it can go at once. */
  isHeld: boolean
  /** It has asked more than once, as nodes do and most inventions do not. */
  hasReturned: boolean
}

/** How many turns an address has. */
export type TurnsOf = (address: string) => number

/** Those who wait. */
export class WaitingLine {
  readonly #max: number
  readonly #maxOfAddress: number
  /** In the order of their coming. */
  readonly #places = new Map<string, Place>()
  /** The same, by address. */
  readonly #byAddress = new Map<string, Place[]>()
  #came = 0

  /** So many places in all, and so many for one address. */
  constructor(max: number, maxOfAddress: number) {
    this.#max = max
    this.#maxOfAddress = maxOfAddress
  }

  get size(): number {
    return this.#places.size
  }

  /** When the first of them came. */
  get firstSinceMs(): number | undefined {
    return this.#places.values().next().value?.sinceMs
  }

  get(key: string): Place | undefined {
    return this.#places.get(key)
  }

  /** A node asks, and is there until it leaves or is said to sleep; undefined: no place is left for it. */
  ask(key: string, address: string, nowMs: number, dueMs: number): Place | undefined {
    const known = this.#places.get(key)
    if (known !== undefined)
      return Object.assign(known, { heardMs: nowMs, dueMs, isHeld: true, hasReturned: true })
    if (!this.#makeRoom(address)) return undefined
    const number = this.#came++
    const place: Place = {
      ...{ key, address, sinceMs: nowMs, number, heardMs: nowMs, dueMs },
      ...{ isHeld: true, hasReturned: false },
    }
    this.#places.set(key, place)
    const others = this.#byAddress.get(address)
    if (others === undefined) this.#byAddress.set(address, [place])
    else others.push(place)
    return place
  }

  leave(key: string): void {
    const place = this.#places.get(key)
    if (place === undefined) return
    this.#places.delete(key)
    const places = this.#byAddress.get(place.address) ?? []
    places.splice(places.indexOf(place), 1)
    if (places.length === 0) this.#byAddress.delete(place.address)
  }

  /** Places that nobody came back for lapse. */
  expire(nowMs: number): void {
    for (const { key, dueMs } of this.#places.values()) if (nowMs > dueMs) this.leave(key)
  }

  /** Who goes next of those that can go at once: of the address with the fewest turns, then first come. */
  first(turnsOf: TurnsOf): Place | undefined {
    let best: Place | undefined
    let fewest = Number.POSITIVE_INFINITY
    for (const [address, places] of this.#byAddress) {
      const turns = turnsOf(address)
      if (turns > fewest) continue
      const place = places.find(({ isHeld }) => isHeld)
      if (place === undefined || (turns === fewest && best !== undefined && best.number < place.number))
        continue
      best = place
      fewest = turns
    }
    return best
  }

  /** The place in the order in which all would go, from 1; one that has none is behind all. */
  position(key: string, turnsOf: TurnsOf): number {
    const place = this.#places.get(key)
    if (place === undefined) return this.size + 1
    const index = this.#byAddress.get(place.address)?.indexOf(place) ?? 0
    // When it is given, its address has so many: what other addresses get until then goes before it.
    const turns = turnsOf(place.address) + index
    let ahead = index
    for (const [address, places] of this.#byAddress) {
      if (address === place.address) continue
      const fewer = turns - turnsOf(address)
      const tied = places[fewer]
      ahead += Math.min(Math.max(fewer, 0), places.length)
      if (tied !== undefined && tied.number < place.number) ahead += 1
    }
    return ahead + 1
  }

  /** False: the newcomer's address has no more room, or the places are shared fairly and all in use. */
  #makeRoom(address: string): boolean {
    const own = this.#byAddress.get(address) ?? []
    if (own.length >= this.#maxOfAddress) return this.#dropFrom(own)
    if (this.size < this.#max) return true
    let most = own
    for (const places of this.#byAddress.values()) if (places.length > most.length) most = places
    return (most === own || most.length > own.length + 1) && this.#dropFrom(most)
  }

  /** The place that has been silent for longest, of one who never returned before one who did. */
  #dropFrom(places: readonly Place[]): boolean {
    let worst: Place | undefined
    for (const place of places) {
      if (place.isHeld) continue
      const isWorse =
        worst === undefined ||
        (place.hasReturned === worst.hasReturned ? place.heardMs < worst.heardMs : worst.hasReturned)
      if (isWorse) worst = place
    }
    if (worst === undefined) return false
    this.leave(worst.key)
    return true
  }
}
