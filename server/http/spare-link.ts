/**
 * How fast those may be sent to that go second, beside others that go first. Nothing says how fast the link is, and one that goes
 * first may be slow by itself: what tells is whether those get less when the second get more. So the second have a fifth of all
 * that moves. When that is too little for them they try twice as much, and keep it as long as the first do not become slower. Pure.
 */

/** How often it is looked at what has moved, milliseconds: over 100 Mbit/s ten times as much as the system takes of a file at once. */
export const LINK_LOOK_MS = 500

/** The part of all that moves which is always left to the second. */
const secondShare = 1 / 5

/** A trial has hurt when the first have lost so much of what they had, and so much of what the second have gained. */
const hurt = { ofFirst: 1 / 4, ofGain: 1 / 8 } as const

/**
 * Looks without a trial: after a start, when what was sent before is still under way; after a trial that has hurt, and twice as many after
 * each more that does, up to a bound, since every one costs the first a second of half the link.
 */
const restLooks = { start: 2, hurt: 3, hurtMax: 12 } as const

/** A start takes back what was tried, but not twice within this, milliseconds. */
const startEveryMs = 4000
/** What was kept may have hurt by now: it is taken back when it is this old, milliseconds. */
const keptMs = 8000

/** What has moved since the last look. */
export interface LinkLook {
  readonly elapsedMs: number
  readonly firstBytes: number
  readonly secondBytes: number
  /** The second wait for more than they may have. */
  readonly isTooLittle: boolean
}

/** The link, as those see it that go second. Paces are bytes a millisecond. */
export class SpareLink {
  #pace = 0
  /** What they have in any case. */
  #share = 0
  #isTrial = false
  #restLooks = 0
  #hurtRestLooks: number = restLooks.hurt
  /** A trial has hurt since the last start. */
  #hasHurtSince = false
  #startedMs = Number.NEGATIVE_INFINITY
  /** Of the first and of the second, at the last look. */
  #first = 0
  #second = 0
  /** The most that the first had in two looks running since they were last alone with the share of the second. */
  #firstMost = 0

  /** The second may be sent so much. */
  get pace(): number {
    return this.#pace
  }

  /** One more goes first: how fast it is shows while the second have their share alone. `leastPace`: what they need at least. */
  start(leastPace: number, nowMs: number): void {
    if (nowMs - this.#startedMs >= startEveryMs) this.#takeBack(leastPace, nowMs)
  }

  /** To be called every {@link LINK_LOOK_MS}, or somewhat later, while both are sent to. */
  look(moved: LinkLook, leastPace: number, nowMs: number): void {
    const first = moved.firstBytes / moved.elapsedMs
    const second = moved.secondBytes / moved.elapsedMs
    const hasHurt = this.#hasHurt(first, second)
    this.#firstMost = Math.max(this.#firstMost, Math.min(first, this.#first))
    this.#first = first
    this.#second = second
    if (nowMs - this.#startedMs >= keptMs) {
      this.#takeBack(leastPace, nowMs)
    } else if (hasHurt) {
      this.#isTrial = false
      this.#hasHurtSince = true
      // What is still under way of a trial may seem to hurt once more.
      if (this.#restLooks === 0) this.#hurtRestLooks = Math.min(2 * this.#hurtRestLooks, restLooks.hurtMax)
      this.#restLooks = Math.max(this.#restLooks, this.#hurtRestLooks / 2)
      // Half of what it was before: that may have been too much already.
      this.#allow(this.#pace / 4, leastPace)
    } else if (this.#restLooks > 0) {
      this.#restLooks -= 1
      this.#allow(this.#pace, leastPace)
    } else {
      this.#isTrial = moved.isTooLittle
      // What nobody has used is not kept for a flood.
      this.#allow(moved.isTooLittle ? 2 * this.#pace : Math.min(this.#pace, 2 * second), leastPace)
    }
  }

  /** By the last trial, or by all of them: each may take a little. */
  #hasHurt(first: number, second: number): boolean {
    const lost = this.#first - first
    const gained = second - this.#second
    if (this.#isTrial && lost > Math.max(this.#first * hurt.ofFirst, gained * hurt.ofGain)) return true
    const lostInAll = this.#firstMost - Math.max(first, this.#first)
    const gainedInAll = Math.min(second, this.#second) - this.#share
    return lostInAll > Math.max(this.#firstMost * hurt.ofFirst, gainedInAll * hurt.ofGain)
  }

  #takeBack(leastPace: number, nowMs: number): void {
    this.#startedMs = nowMs
    this.#isTrial = false
    if (!this.#hasHurtSince) this.#hurtRestLooks = restLooks.hurt
    this.#hasHurtSince = false
    this.#restLooks = Math.max(this.#restLooks, restLooks.start)
    this.#firstMost = 0
    this.#allow(0, leastPace)
  }

  #allow(pace: number, leastPace: number): void {
    this.#share = Math.max((this.#first + this.#second) * secondShare, leastPace)
    this.#pace = Math.max(pace, this.#share)
  }
}
