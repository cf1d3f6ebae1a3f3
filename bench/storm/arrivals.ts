/** When each node starts. No I/O. */
import type { StormOptions } from './storm-options.js'

/**
 * Seconds after the start, by node. `server`: stage 1 comes through the server's one link, four nodes at a time, so
 * that four are done whenever four stage 1s fit through it.
 */
export function arrivalTimes(options: StormOptions, floor: number, payloadBytes: number): number[] {
  const indices = Array.from({ length: options.nodes }, (_, index) => index)
  const { arrivals } = options
  if (arrivals.kind === 'at-once') return indices.map(() => 0)
  if (arrivals.kind === 'file') {
    return indices.map((index) => arrivals.offsetsS[index % arrivals.offsetsS.length] ?? 0)
  }
  const oneS = (floor * arrivals.stage1Bytes) / payloadBytes
  return indices.map((index) => (Math.floor(index / AT_A_TIME) + 1) * AT_A_TIME * oneS)
}

/** Downloads of stage 1 at the same time. */
const AT_A_TIME = 4
