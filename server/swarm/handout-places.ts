/**
 * What the agents of one address hold and owe together, in one torrent. An agent costs an address nothing but a connection: so
 * all of an address count as one, until they have confirmed hand-outs, and what they owe is remembered when they have left. Pure.
 */

/** Addresses that have left and owe something; the one that left first is forgotten first. */
const leftMax = 1_024

interface Place {
  agents: number
  outstanding: number
  /** Agents that have confirmed a hand-out. */
  proven: number
  /** Hand-outs that were not confirmed since one was. */
  strikes: number
}

/** The addresses of one torrent's agents. */
export class HandoutPlaces {
  readonly #places = new Map<string, Place>()
  readonly #left = new Map<string, Place>()

  join(address: string): void {
    const place = this.#places.get(address) ??
      this.#left.get(address) ?? { agents: 0, outstanding: 0, proven: 0, strikes: 0 }
    place.agents++
    this.#left.delete(address)
    this.#places.set(address, place)
  }

  /** @param isProven {@link confirm} has said that the agent was not before */
  leave(address: string, isProven: boolean): void {
    const place = this.#places.get(address)
    if (place === undefined) return
    place.agents--
    if (isProven) place.proven--
    if (place.agents > 0) return
    this.#places.delete(address)
    if (place.strikes === 0) return
    this.#left.set(address, place)
    const [first] = this.#left.keys()
    if (this.#left.size > leftMax && first !== undefined) this.#left.delete(first)
  }

  give(address: string): void {
    const place = this.#places.get(address)
    if (place !== undefined) place.outstanding++
  }

  release(address: string): void {
    const place = this.#places.get(address)
    if (place !== undefined) place.outstanding--
  }

  strike(address: string): void {
    const place = this.#places.get(address)
    if (place !== undefined) place.strikes++
  }

  /** A hand-out was confirmed by an agent that has done so before, or not. */
  confirm(address: string, isProven: boolean): void {
    const place = this.#places.get(address)
    if (place === undefined) return
    place.strikes = 0
    if (!isProven) place.proven++
  }

  /** Unconfirmed hand-outs for each agent that counts. */
  load(address: string): number {
    const { outstanding, proven } = this.#places.get(address) ?? { outstanding: 0, proven: 0 }
    return outstanding / Math.max(1, proven)
  }

  /** Strikes for each agent that counts. */
  strikes(address: string): number {
    const { strikes, proven } = this.#places.get(address) ?? { strikes: 0, proven: 0 }
    return strikes / Math.max(1, proven)
  }
}
