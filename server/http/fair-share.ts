/**
 * Divides something that is limited among the addresses that ask for it. A pure decision.
 *
 * An address may use all that nobody else asks for, so hundreds of nodes behind one address (a NAT, a relay) do not suffer.
 * When nothing is left, the address that holds most gives way: first what is idle, longest idle first, then what has been busy for
 * longest. An address takes nothing from one that holds no more than itself, and nothing busy from one that would then hold less.
 */

interface Holding<T> {
  readonly who: T
  readonly address: string
  readonly amount: number
  /** The lower, the longer it has been as it is. */
  turn: number
}

/** What one address holds, in order: the first gives way first. */
interface Holdings<T> {
  readonly address: string
  amount: number
  readonly idle: Map<T, Holding<T>>
  readonly busy: Map<T, Holding<T>>
}

/** `T` stands for what holds a share: a connection, an answer. */
export class FairShare<T> {
  readonly max: number
  #taken = 0
  #turn = 0
  readonly #addresses = new Map<string, Holdings<T>>()
  readonly #holdings = new Map<T, Holding<T>>()

  constructor(max: number) {
    this.max = max
  }

  /** What all hold together. */
  get taken(): number {
    return this.#taken
  }

  /**
   * Takes `amount` for `who`, who holds nothing yet. Returns those that must give theirs up for it and hold nothing from now on;
   * undefined: refused, and all stays as it was.
   */
  take(who: T, address: string, amount: number, isBusy: boolean): T[] | undefined {
    const yielding: Holding<T>[] = []
    while (this.#taken + amount > this.max) {
      const next = this.#nextToYield(address, amount)
      if (next === undefined) {
        for (const holding of yielding) this.#put(holding, true)
        return undefined
      }
      yielding.push(next)
      this.release(next.who)
    }
    this.#put({ who, address, amount, turn: 0 }, isBusy)
    return yielding.map((given) => given.who)
  }

  holds(who: T): boolean {
    return this.#holdings.has(who)
  }

  /** Whether `who` holds something and is not busy. */
  isIdle(who: T): boolean {
    const holding = this.#holdings.get(who)
    return holding !== undefined && this.#addresses.get(holding.address)?.idle.has(who) === true
  }

  /** `who` is busy from now on, or idle. */
  setBusy(who: T, isBusy: boolean): void {
    const holding = this.#holdings.get(who)
    if (holding === undefined) return
    this.release(who)
    this.#put(holding, isBusy)
  }

  /** Gives back what `who` holds, if anything. */
  release(who: T): void {
    const holding = this.#holdings.get(who)
    const holdings = holding && this.#addresses.get(holding.address)
    if (holding === undefined || holdings === undefined) return
    this.#holdings.delete(who)
    holdings.idle.delete(who)
    holdings.busy.delete(who)
    holdings.amount -= holding.amount
    this.#taken -= holding.amount
    if (holdings.idle.size + holdings.busy.size === 0) this.#addresses.delete(holding.address)
  }

  #put(holding: Holding<T>, isBusy: boolean): void {
    const { who, address, amount } = holding
    const holdings = this.#addresses.get(address) ?? { address, amount: 0, idle: new Map(), busy: new Map() }
    this.#addresses.set(address, holdings)
    this.#holdings.set(who, holding)
    holding.turn = this.#turn++
    holdings[isBusy ? 'busy' : 'idle'].set(who, holding)
    holdings.amount += amount
    this.#taken += amount
  }

  /** Who makes room for `amount` more at `address`. */
  #nextToYield(address: string, amount: number): Holding<T> | undefined {
    const held = this.#addresses.get(address)?.amount ?? 0
    let idle: Holdings<T> | undefined
    let busy: Holdings<T> | undefined
    for (const holdings of this.#addresses.values()) {
      const mayYield = holdings.amount > held || holdings.address === address
      if (mayYield && holdings.idle.size > 0 && (idle === undefined || yieldsBefore(holdings, idle)))
        idle = holdings
      if (holdings.amount > held + amount && holdings.amount > (busy?.amount ?? 0)) busy = holdings
    }
    return first(idle?.idle) ?? first(busy?.busy)
  }
}

function yieldsBefore<T>(one: Holdings<T>, other: Holdings<T>): boolean {
  if (one.amount !== other.amount) return one.amount > other.amount
  return (first(one.idle)?.turn ?? 0) < (first(other.idle)?.turn ?? 0)
}

function first<T>(holding: ReadonlyMap<T, Holding<T>> | undefined): Holding<T> | undefined {
  for (const one of holding?.values() ?? []) return one
  return undefined
}
