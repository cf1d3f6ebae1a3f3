/** Token buckets: so many a second of bytes, packets or lines, and a burst of them at once. Pure. */
export class TokenBucket {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #atMs: number | undefined

  /** Without `burst` a quarter of a second's worth. */
  constructor(perSecond: number, burst = perSecond / 4) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
  }

  /** Takes them if they are there. */
  take(count: number, nowMs: number): boolean {
    // A clock that is set back gives nothing, and takes nothing.
    const elapsedMs = Math.max(0, nowMs - (this.#atMs ?? nowMs))
    const filled = this.#tokens + (elapsedMs * this.#perSecond) / 1000
    this.#tokens = Math.min(this.#burst, filled)
    this.#atMs = nowMs
    if (this.#tokens < count) return false
    this.#tokens -= count
    return true
  }
}

/** A bucket for each of what a client chooses: of many, those not used for longest go first, and begin full again. */
export class TokenBuckets {
  readonly #make: () => TokenBucket
  readonly #keysMax: number
  readonly #buckets = new Map<string, TokenBucket>()

  constructor(keysMax: number, perSecond: number, burst: number) {
    this.#make = () => new TokenBucket(perSecond, burst)
    this.#keysMax = keysMax
  }

  get size(): number {
    return this.#buckets.size
  }

  /** As {@link TokenBucket.take}, of the bucket of `key`. */
  take(key: string, count: number, nowMs: number): boolean {
    const bucket = this.#buckets.get(key) ?? this.#make()
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > this.#keysMax) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest)
        break
      }
    }
    return bucket.take(count, nowMs)
  }
}
