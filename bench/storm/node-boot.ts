import type { Host } from './plan.js'

/** Parts of a network boot. */
export interface NetworkBootMs {
  readonly dhcp: number
  readonly tftp: number
  readonly http: number
}

/** One node's boot as the benchmark observed it. Times are seconds since the start of the storm. */
export interface NodeBoot {
  readonly host: Host
  readonly startS: number
  /** Manifest verified. */
  manifestS?: number
  /** All bytes received. */
  downloadedS?: number
  /** The same two by the node's own clock, so that a late observation does not count between them. */
  manifestOwnMs?: number
  downloadedOwnMs?: number
  /** Root complete. */
  bootedS?: number
  killedS?: number
  /** Where it booted from the network: how long its address, its boot program, and kernel with stage 1 took, milliseconds. */
  networkBootMs?: NetworkBootMs
  fromPeersBytes: number
  fromOriginBytes: number
  duplicateBytes: number
  banned: number
  /** Failed tries: `CODE: message`. */
  readonly failures: string[]
  /** What the agent reported over time: seconds, bytes done, connected peers. */
  readonly progress: [number, number, number][]
  rssMb?: number
}
