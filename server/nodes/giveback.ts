/**
 * When booted nodes may give the memory of their artifacts back, and which of them go on seeding for those that boot
 * later. Pure: facts and time in, seconds out.
 */
import { SEED_REPORT_MAX_S, SEED_REPORT_MIN_S, SEED_STRAGGLER_PER_NODES } from '../../src/limits.js'
import { isBooting, type NodeRecord } from './state.js'

/** How long after the storm, and how many stay (`seeding` of the configuration). */
export interface SeedRules {
  /** Seconds with hardly a node in mid-boot; 0: no node is ever told to end. */
  readonly calmS: number
  readonly keepPerRack: number
  readonly keepMin: number
}

/** A node that seeds all the artifacts of its version. */
export interface Seed {
  readonly rack: string
  /** Artifacts that nodes may still need: those of the current version. */
  readonly infohashes: readonly string[]
}

/** A node tells its seeding; it may be late by so much, for its server was away or its link full, milliseconds. */
const reportGraceMs = 120_000
/** An agent waits up to a quarter longer than it was told, so that nodes which booted together part. */
const reportSpread = 1.25

/**
 * When the site will have been calm for long enough, milliseconds from now if no other node boots; 0: it has been. Some
 * stragglers do not count, because in a large farm some node always restarts: the seeds that are kept serve it.
 *
 * @param arriving nodes that load kernel or stage 1, or wait for their turn to
 */
export function calmInMs(
  nodes: readonly NodeRecord[],
  arriving: number,
  calmS: number,
  nowMs: number,
): number {
  const stragglers = Math.max(1, Math.floor(nodes.length / SEED_STRAGGLER_PER_NODES))
  const sinceMs = nowMs - calmS * 1000
  const heardMs = [
    ...Array.from({ length: Math.min(arriving, stragglers + 1) }, () => nowMs),
    ...nodes
      .map((node) => (isBooting(node) ? nowMs : node.bootHeardMs))
      .filter((heard) => heard > sinceMs)
      .sort((a, b) => b - a),
  ].sort((a, b) => b - a)
  const latest = heardMs[stragglers]
  return latest === undefined ? 0 : Math.max(0, latest - sinceMs)
}

/**
 * Whether a node counts as one that seeds everything: neither has it said nor was it told otherwise, and its next report
 * is not overdue.
 */
export function isWholeSeed(node: NodeRecord, nowMs: number): boolean {
  const { state, seeding, seedS = SEED_REPORT_MAX_S, lastSeenMs } = node
  if (state !== 'booted' || seeding !== 'whole' || seedS === 0) return false
  return nowMs - lastSeenMs < seedS * reportSpread * 1000 + reportGraceMs
}

/** Counts who seeds what, so that an answer to one of a thousand nodes does not look at all the others. */
export class SeedCensus {
  readonly #seeds = new Map<string, Seed>()
  /** Seeds of an artifact in each rack. */
  readonly #holders = new Map<string, Map<string, number>>()

  constructor(seeds: Iterable<readonly [id: string, seed: Seed]> = []) {
    for (const [id, seed] of seeds) this.put(id, seed)
  }

  get size(): number {
    return this.#seeds.size
  }

  put(id: string, seed: Seed): void {
    this.delete(id)
    this.#seeds.set(id, seed)
    this.#count(seed, 1)
  }

  delete(id: string): void {
    const seed = this.#seeds.get(id)
    if (seed === undefined) return
    this.#seeds.delete(id)
    this.#count(seed, -1)
  }

  /** How many seed an artifact, in a rack and in all. */
  holders(infohash: string, rack: string): { readonly near: number; readonly all: number } {
    const racks = this.#holders.get(infohash) ?? new Map<string, number>()
    return { near: racks.get(rack) ?? 0, all: [...racks.values()].reduce((sum, count) => sum + count, 0) }
  }

  #count({ rack, infohashes }: Seed, by: number): void {
    for (const infohash of infohashes) {
      const racks = this.#holders.get(infohash) ?? new Map<string, number>()
      this.#holders.set(infohash, racks)
      racks.set(rack, (racks.get(rack) ?? 0) + by)
      if (racks.get(rack) === 0) racks.delete(rack)
    }
  }
}

/**
 * What a node that has booted is told: report again in so many seconds; 0: seed no more.
 *
 * @param others the whole seeds but for this one
 */
export function reportAfterS(seed: Seed, others: SeedCensus, calmMs: number, rules: SeedRules): number {
  if (rules.calmS === 0) return SEED_REPORT_MAX_S
  if (calmMs > 0) {
    const leastS = Math.min(SEED_REPORT_MIN_S, rules.calmS)
    return Math.min(SEED_REPORT_MAX_S, Math.max(leastS, Math.ceil(calmMs / 1000)))
  }
  return seed.infohashes.every((infohash) => hasEnough(infohash, seed.rack, others, rules))
    ? 0
    : SEED_REPORT_MAX_S
}

function hasEnough(infohash: string, rack: string, others: SeedCensus, rules: SeedRules): boolean {
  const { near, all } = others.holders(infohash, rack)
  return near >= rules.keepPerRack && all >= rules.keepMin
}
