/**
 * The importers of one rack: the few agents that alone bring pieces in over its uplink, in turn. Whoever invents agents, at a few
 * addresses, neither has all places nor the first ones. Pure.
 */

/** One rack's importers. */
export class Importers<T extends { readonly owner: string }> {
  readonly #max: number
  readonly #ofOwnerMax: number
  /** In the order of their coming. */
  #peers: T[] = []

  /** @param max of all owners of addresses, and of one */
  constructor(max: number, ofOwnerMax: number) {
    this.#max = max
    this.#ofOwnerMax = ofOwnerMax
  }

  get size(): number {
    return this.#peers.length
  }

  /** One of each owner in the order of their coming, then the second of each, and so on. */
  inTurn(): T[] {
    const rounds: T[][] = []
    const counts = new Map<string, number>()
    for (const peer of this.#peers) {
      const round = counts.get(peer.owner) ?? 0
      counts.set(peer.owner, round + 1)
      const others = rounds[round]
      if (others === undefined) rounds.push([peer])
      else others.push(peer)
    }
    return rounds.flat()
  }

  /** Takes a peer in that is none yet, if there is a place for it: of an owner with at least two more the last one gives way. */
  offer(peer: T): void {
    const own = this.#countOf(peer.owner)
    if (own >= this.#ofOwnerMax) return
    if (this.size >= this.#max) {
      const last = this.inTurn().at(-1)
      if (last === undefined || this.#countOf(last.owner) < own + 2) return
      this.delete(last)
    }
    this.#peers.push(peer)
  }

  delete(peer: T): void {
    this.#peers = this.#peers.filter((each) => each !== peer)
  }

  /** Its place in the order of their coming; -1: it is none. */
  placeOf(peer: T): number {
    return this.#peers.indexOf(peer)
  }

  /** One that was taken out to be changed has its place again. */
  putBack(peer: T, place: number): void {
    this.#peers.splice(place, 0, peer)
  }

  #countOf(owner: string): number {
    return this.#peers.filter((peer) => peer.owner === owner).length
  }
}
