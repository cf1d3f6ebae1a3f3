/**
 * Numbers those who are told to ask again later, so that they do not all return together. Addresses are numbered in turn: the
 * first requests of all of them, then the second ones, and so on. What one address asks too much makes none wait but itself. Pure.
 */

/** Of one address, and addresses; later ones are numbered like the last, or all begin anew. */
const ofAddressMax = 4_096
const addressesMax = 4_096

/** One round of numbers. */
export class FairTickets {
  readonly #taken = new Map<string, number>()
  /** How many addresses have taken one, two, three and so on at least. */
  #takenBy: number[] = []
  #size = 0

  /** How many were taken. */
  get size(): number {
    return this.#size
  }

  clear(): void {
    this.#taken.clear()
    this.#takenBy = []
    this.#size = 0
  }

  /** From 1: how many come first where all addresses have their turns, and this one. */
  take(address: string): number {
    if (!this.#taken.has(address) && this.#taken.size >= addressesMax) this.clear()
    const before = this.#taken.get(address) ?? 0
    const own = Math.min(ofAddressMax, before + 1)
    if (own > before) {
      this.#taken.set(address, own)
      this.#takenBy[own - 1] = (this.#takenBy[own - 1] ?? 0) + 1
      this.#size++
    }
    let ticket = 0
    for (let turn = 0; turn < own; turn++) ticket += this.#takenBy[turn] ?? 0
    return ticket
  }
}
