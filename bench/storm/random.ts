/** Random numbers that a seed decides, so that a storm can be repeated. */

/** Numbers in [0, 1): mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** `count` different ones of `items`, in random order. */
export function pick<T>(items: readonly T[], count: number, random: () => number): T[] {
  const pool = [...items]
  for (let index = 0; index < Math.min(count, pool.length); index += 1) {
    const other = index + Math.floor(random() * (pool.length - index))
    const [a, b] = [pool[index] as T, pool[other] as T]
    pool[index] = b
    pool[other] = a
  }
  return pool.slice(0, count)
}
