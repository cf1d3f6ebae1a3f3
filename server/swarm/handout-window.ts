/**
 * How many hand-outs may be under way. What limits the origin may be its uplink or the slowness of those
 * who confirm; the time a hand-out takes does not tell which. So it climbs: as long as a wider window
 * brings more bytes home it widens, as long as a narrower one brings as many it narrows. Pure.
 */

const piecesMin = 4
const piecesStart = 4
/** 16 pieces of 128 KiB do not fill 1 Gbit/s when each takes 20 ms to be confirmed. */
const piecesMax = 32
const confirmationsMin = 4
const step = 1.25
/** Differences below this are noise. */
const noise = 0.05
/** What a round leaves of the best rate so far. */
const fade = 0.98

/** The window, in pieces. */
export class HandoutWindow {
  #size = piecesStart
  /** Doubling until that stops to help. */
  #starting = true
  #widening = true
  #settling = false
  #before: number | undefined
  /** The best rate lately: a few steps down, each within the noise, add up. */
  #best = 0
  #bytes = 0
  #count = 0
  #sinceMs: number | undefined

  get size(): number {
    return this.#size
  }

  /** There was nothing to hand out: what is measured across this says nothing about the window. */
  idle(): void {
    this.#sinceMs = undefined
  }

  /** A hand-out has been confirmed. */
  confirmed(bytes: number, nowMs: number): void {
    if (this.#sinceMs === undefined) {
      this.#begin(nowMs)
      return
    }
    this.#bytes += bytes
    this.#count++
    const passedMs = nowMs - this.#sinceMs
    if (this.#count < Math.max(confirmationsMin, this.#size) || passedMs <= 0) return
    // What was under way at a change of the window comes home in the round after it.
    if (this.#settling) this.#settling = false
    else this.#decide(this.#bytes / passedMs)
    this.#begin(nowMs)
  }

  #begin(nowMs: number): void {
    this.#sinceMs = nowMs
    this.#bytes = 0
    this.#count = 0
  }

  /** @param rate bytes a millisecond of the last round */
  #decide(rate: number): void {
    const before = this.#before ?? 0
    const best = this.#best
    this.#before = rate
    this.#best = Math.max(rate, best * fade)
    if (this.#starting) {
      if (rate > before * (1 + noise)) {
        this.#resize(2)
        return
      }
      this.#starting = false
      this.#widening = false
    } else if (this.#widening ? rate < before * (1 + noise) : rate < best * (1 - noise)) {
      this.#widening = !this.#widening
    }
    this.#resize(this.#widening ? step : 1 / step)
  }

  #resize(factor: number): void {
    this.#size = Math.min(piecesMax, Math.max(piecesMin, this.#size * factor))
    this.#settling = true
    // At an end there is one way to go.
    if (this.#size === piecesMin) this.#widening = true
    if (this.#size === piecesMax) this.#widening = false
  }
}
