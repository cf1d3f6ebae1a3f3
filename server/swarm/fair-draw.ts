/**
 * Draws at random from what belongs to addresses: an address with many items is drawn as often as one with a single item, so
 * that whoever invents thousands of peers is met no more often. Pure.
 */

interface OwnedItems<T> {
  readonly owner: string
  readonly items: T[]
}

/** Items by the owner of their address, in an order without meaning. */
export class FairDraw<T extends { readonly owner: string }> {
  readonly #owners: OwnedItems<T>[] = []
  readonly #at = new Map<string, number>()

  get owners(): number {
    return this.#owners.length
  }

  add(item: T): void {
    const at = this.#at.get(item.owner)
    if (at !== undefined) {
      this.#owners[at]?.items.push(item)
      return
    }
    this.#at.set(item.owner, this.#owners.length)
    this.#owners.push({ owner: item.owner, items: [item] })
  }

  delete(item: T): void {
    const at = this.#at.get(item.owner)
    const own = at === undefined ? undefined : this.#owners[at]
    if (at === undefined || own === undefined || !removeFrom(own.items, own.items.indexOf(item))) return
    if (own.items.length > 0) return
    this.#at.delete(item.owner)
    removeFrom(this.#owners, at)
    const moved = this.#owners[at]
    if (moved !== undefined) this.#at.set(moved.owner, at)
  }

  /** One of each address in random order, then a second of those that have one, and so on; whoever takes a few pays for a few. */
  *drawn(random: () => number): Iterable<T> {
    let again: Iterator<T>[] = []
    for (const { items } of shuffled(this.#owners, random)) {
      const [only] = items
      if (items.length === 1 && only !== undefined) {
        yield only
        continue
      }
      const rest = shuffled(items, random)
      const first = rest.next()
      if (first.done === true) continue
      yield first.value
      again.push(rest)
    }
    while (again.length > 0) {
      const more: Iterator<T>[] = []
      for (const rest of again) {
        const next = rest.next()
        if (next.done === true) continue
        yield next.value
        more.push(rest)
      }
      again = more
    }
  }
}

/** The items in random order: a shuffle that stops where nobody wants more of it, and copies nothing. */
function* shuffled<T>(items: readonly T[], random: () => number): Generator<T> {
  const moved = new Map<number, number>()
  for (let i = 0; i < items.length; i++) {
    const j = i + Math.floor(random() * (items.length - i))
    const item = items[moved.get(j) ?? j]
    moved.set(j, moved.get(i) ?? i)
    if (item !== undefined) yield item
  }
}

/** Puts the last in its place. */
function removeFrom<T>(items: T[], at: number): boolean {
  if (at < 0) return false
  const last = items.pop()
  if (last !== undefined && at < items.length) items[at] = last
  return true
}
