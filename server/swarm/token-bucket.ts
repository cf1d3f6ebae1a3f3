/** A token bucket: so many bytes a second, a quarter of a second's worth at once. Pure. */
export class TokenBucket {
  readonly #bytesPerSecond: number
  #bytes: number
  #atMs: number | undefined

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond
    this.#bytes = bytesPerSecond / 4
  }

  /** Takes the bytes if they are there; `nowMs` never goes back. */
  take(bytes: number, nowMs: number): boolean {
    const filled = this.#bytes + ((nowMs - (this.#atMs ?? nowMs)) * this.#bytesPerSecond) / 1000
    this.#bytes = Math.min(this.#bytesPerSecond / 4, filled)
    this.#atMs = nowMs
    if (this.#bytes < bytes) return false
    this.#bytes -= bytes
    return true
  }
}
