/** What was seen of one storm, under an attack or without one. */
import type { Holding } from './watch.js'

/** Something that must be and is not. */
export interface Miss {
  readonly must:
    | 'time'
    | 'nodes'
    | 'alive'
    | 'memory'
    | 'descriptors'
    | 'agents'
    | 'memory-back'
    | 'descriptors-back'
    | 'streams-back'
    | 'origin'
    | 'late-node'
    | 'attack'
  readonly text: string
}

/** One of the server's processes. */
export interface ProcessFacts {
  readonly name: string
  readonly before: Holding
  readonly peak: Holding
  /** When all was given back, or when that was waited for no longer; null: the process has ended. */
  readonly after: Holding | null
}

/** Seconds; null: no node came so far. */
export interface PhasesS {
  readonly dhcp: number | null
  readonly tftp: number | null
  readonly http: number | null
  /** From stage 1 to the verified manifest. */
  readonly manifest: number | null
  /** From there to the last byte. */
  readonly download: number | null
}

/** One storm. Times are seconds; null: it did not come to that. */
export interface SiegeRun {
  /** Until the last node had booted. */
  readonly stormS: number | null
  /** Nodes that did not boot. */
  readonly failed: number
  readonly failures: readonly string[]
  /** Of the parts of a network boot, how long the slowest node took over each. */
  readonly phasesS: PhasesS
  readonly processes: readonly ProcessFacts[]
  /** How the daemon ended, with the last that it said; null: it did not. */
  readonly daemonEnded: string | null
  /** How many descriptors a process of the server may have. */
  readonly descriptorLimit: number
  /** From the end of the attack until memory, descriptors and sockets were back. */
  readonly backS: number | null
  /** What was not. */
  readonly kept: readonly Miss[]
  /** How long a node took to boot after the attack. */
  readonly lateNodeS: number | null
  /** From the end of the attack until the origin sent a part of the artifact over HTTPS. */
  readonly originS: number | null
  /** Of all agents the most. */
  readonly agents: { readonly rssMb: number; readonly descriptors: number }
  /** What each attacker counted. */
  readonly did: Readonly<Record<string, Counts>>
}

/** What an attacker has counted. */
export type Counts = Readonly<Record<string, number>>

/** Whether it has done nothing yet. */
export function isIdle(counts: Counts): boolean {
  return Object.values(counts).every((count) => count === 0)
}
