/** Helpers of the tests: mutations from a seed, and the code that a call ends with. */

import { BootswarmError } from '../src/errors.js'

/** `ok`, or the code of the BootswarmError. Anything else that is thrown is a bug and goes on. */
export function outcome(run: () => unknown): string {
  try {
    run()
    return 'ok'
  } catch (error) {
    if (error instanceof BootswarmError) return error.code
    throw error
  }
}

/** Numbers from 0 up to (not including) `below`, always the same for a seed (mulberry32). */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** Variants of some bytes that all differ from them: flipped, replaced, inserted, cut, doubled. */
export function* fuzzed(bytes: Uint8Array, seed: number, count: number): Generator<Buffer> {
  const random = randomFrom(seed)
  const original = Buffer.from(bytes)
  for (let made = 0; made < count; ) {
    let variant: Buffer = Buffer.from(original)
    for (let edits = 1 + random(4); edits > 0; edits--) variant = edit(variant, random)
    if (variant.equals(original)) continue
    made++
    yield variant
  }
}

function edit(bytes: Buffer, random: (below: number) => number): Buffer {
  const at = random(bytes.length + 1)
  const to = Math.min(bytes.length, at + 1 + random(16))
  const before = bytes.subarray(0, at)
  const after = bytes.subarray(to)
  switch (random(6)) {
    case 0:
      return Buffer.concat([before, after])
    case 1:
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)])
    case 2:
      return Buffer.concat([before, Buffer.from([random(256)]), bytes.subarray(at)])
    case 3:
      return Buffer.from(before)
    case 4: {
      // Digits and brackets reach further into a parser than random bytes do.
      const telling = '0123456789-:,{}[]"ildeE.\\ \n&*!#'
      return Buffer.concat([
        before,
        Buffer.from(telling.charAt(random(telling.length))),
        bytes.subarray(at + 1),
      ])
    }
    default: {
      const flipped = Buffer.from(bytes)
      if (at < flipped.length) flipped[at] = (flipped[at] ?? 0) ^ (1 << random(8))
      return flipped
    }
  }
}
