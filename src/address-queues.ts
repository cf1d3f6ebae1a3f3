/** What belongs to addresses, of each the oldest first: who has most gives way first. Pure. */

/** Items by address. An item is in it once. */
export class AddressQueues<T> {
  readonly #queues = new Map<string, Set<T>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Adds it as the newest of its address. One that is in it keeps its place. */
  add(address: string, item: T): void {
    const queue = this.#queues.get(address)
    if (queue?.has(item)) return
    if (queue === undefined) this.#queues.set(address, new Set([item]))
    else queue.add(item)
    this.#size++
  }

  delete(address: string, item: T): void {
    const queue = this.#queues.get(address)
    if (queue?.delete(item) !== true) return
    this.#size--
    if (queue.size === 0) this.#queues.delete(address)
  }

  countOf(address: string): number {
    return this.#queues.get(address)?.size ?? 0
  }

  /** The items of an address, the oldest first. */
  of(address: string): Iterable<T> {
    return this.#queues.get(address) ?? []
  }

  /** Each address's items, the oldest first. */
  each(): Iterable<Iterable<T>> {
    return this.#queues.values()
  }

  /** Takes out the oldest item of the address whose turn it is; then all other addresses have theirs. */
  take(): T | undefined {
    const [turn] = this.#queues
    const [item] = turn?.[1] ?? []
    if (turn === undefined || item === undefined) return undefined
    const [address, queue] = turn
    this.#queues.delete(address)
    this.#queues.set(address, queue)
    this.delete(address, item)
    return item
  }

  /** The oldest item of the address that has most. */
  oldestOfLargest(): T | undefined {
    let largest: Set<T> | undefined
    for (const queue of this.#queues.values()) {
      if (largest === undefined || queue.size > largest.size) largest = queue
    }
    const [oldest] = largest ?? []
    return oldest
  }
}
