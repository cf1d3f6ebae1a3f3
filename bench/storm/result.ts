/** The figures of a storm, from its observations. No I/O. The schema is docs/storm.schema.json. */
import type { NodeBoot } from './node-boot.js'
import type { Sample } from './sampler.js'
import { payloadOf } from './shaping.js'

/** A summary of some nodes' completion times. Seconds; null when there are none. */
export interface Times {
  readonly first_s: number | null
  readonly median_s: number | null
  readonly p95_s: number | null
  readonly p99_s: number | null
  readonly last_s: number | null
}

/** Sorts and sums up. */
export function timesOf(seconds: readonly number[]): Times {
  const sorted = [...seconds].sort((a, b) => a - b)
  const at = (share: number) => {
    const value = sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))]
    return value === undefined ? null : round(value, 3)
  }
  return { first_s: at(0), median_s: at(0.5), p95_s: at(0.95), p99_s: at(0.99), last_s: at(1) }
}

/** A number with so many digits behind the point. */
export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}

/** A quotient of two figures, null when one is missing. */
export function over(value: number | null, floor: number): number | null {
  return value === null ? null : round(value / floor, 3)
}

/** Below this share of idle processor time a run says more about processors than about links (docs/bench.md). */
export const IDLE_SHARE_LEAST = 0.12

/** One contestant beside the agents. */
export interface BaselineResult extends Times {
  readonly name: string
  readonly nodes: number
  readonly last_over_floor: number | null
  readonly origin_copies: number
  readonly rack_copies_max: number | null
  readonly rack_copies_mean: number | null
  readonly failed: number
  readonly cpu_idle_share: number
  readonly valid: boolean
  /** Why it ran with fewer nodes, or did not finish; empty otherwise. */
  readonly note: string
  /** Completion times for the curve, seconds. */
  readonly completed_s: readonly number[]
}

/** A contestant that could not run. */
export function failedBaseline(name: string, nodes: number, why: string): BaselineResult {
  return {
    name,
    nodes,
    ...timesOf([]),
    last_over_floor: null,
    origin_copies: 0,
    ...copies([], 1),
    failed: nodes,
    cpu_idle_share: 0,
    valid: false,
    note: `failed: ${why}`.slice(0, 300),
    completed_s: [],
  }
}

/** What an uplink carried: into the rack, with all behind it, and out of it. */
interface UplinkBytes {
  readonly inBytes: number
  readonly outBytes: number
}

/** What a run of the agents recorded. */
export interface RunFacts {
  readonly boots: readonly NodeBoot[]
  readonly payloadBytes: number
  readonly floorS: number
  readonly samples: readonly Sample[]
  /** Bytes that the server's link and each rack's uplink carried, as the buckets count them. */
  readonly serverBytes: number
  readonly uplinks: readonly UplinkBytes[]
}

/** The figures of the agents' storm. */
export function agentFigures(facts: RunFacts) {
  const { boots, payloadBytes, floorS: floor } = facts
  const alive = boots.filter((boot) => boot.killedS === undefined)
  const booted = alive.filter((boot) => boot.bootedS !== undefined)
  const healthy = booted.filter((boot) => !boot.host.slow)
  const seconds = (list: readonly NodeBoot[]) => list.map((boot) => boot.bootedS ?? 0)
  const sum = (pick: (boot: NodeBoot) => number) => boots.reduce((total, boot) => total + pick(boot), 0)
  const all = timesOf(seconds(booted))
  const well = timesOf(seconds(healthy))
  const received = sum((boot) => boot.fromPeersBytes + boot.fromOriginBytes + boot.duplicateBytes)
  const racks = copies(
    facts.uplinks.map(({ inBytes }) => inBytes),
    payloadBytes,
  )
  const memory = boots.map((boot) => boot.rssMb ?? 0)
  return {
    ...all,
    last_over_floor: over(all.last_s, floor),
    healthy: {
      ...well,
      p99_over_floor: over(well.p99_s, floor),
      last_over_floor: over(well.last_s, floor),
      cpu_idle_share: idleUntil(facts.samples, well.last_s ?? Number.POSITIVE_INFINITY),
    },
    downloaded: timesOf(booted.map((boot) => boot.downloadedS ?? 0)),
    manifest: timesOf(booted.map((boot) => boot.manifestS ?? 0)),
    after_manifest: timesOf(booted.flatMap(afterManifestS)),
    origin_copies: round(sum((boot) => boot.fromOriginBytes) / payloadBytes, 3),
    origin_link_copies: round(payloadOf(facts.serverBytes) / payloadBytes, 3),
    ...racks,
    ...uplinkCopies(facts.uplinks, payloadBytes),
    duplicate_share: received > 0 ? round(sum((boot) => boot.duplicateBytes) / received, 5) : 0,
    failed: alive.length - booted.length,
    retried: booted.filter((boot) => boot.failures.length > 0).length,
    killed: boots.length - alive.length,
    banned: sum((boot) => boot.banned),
    agent_rss_mb_max: round(Math.max(0, ...memory), 2),
    agent_rss_mb_median: round(memory.sort((a, b) => a - b)[memory.length >> 1] ?? 0, 2),
  }
}

/** From a node's verified manifest to its last byte: what the swarm takes, without the server's time for the start. */
function afterManifestS({ manifestOwnMs: from, downloadedOwnMs: to }: NodeBoot): number[] {
  return from === undefined || to === undefined ? [] : [(to - from) / 1000]
}

/** Idle processor time until then: slow nodes that go on alone for ten floors leave the processors idle. */
export function idleUntil(samples: readonly Pick<Sample, 'atS' | 'idle'>[], untilS: number): number {
  const until = samples.filter(({ atS }) => atS <= untilS)
  return until.length === 0 ? 1 : round(until.reduce((sum, { idle }) => sum + idle, 0) / until.length, 4)
}

/** Copies of the payload that went into the racks; without the headers of full segments, with all other traffic. */
export function copies(racksInBytes: readonly number[], payloadBytes: number) {
  const each = racksInBytes.map((bytes) => payloadOf(bytes) / payloadBytes)
  if (each.length === 0) return { rack_copies_max: null, rack_copies_mean: null }
  const mean = each.reduce((sum, value) => sum + value, 0) / each.length
  return { rack_copies_max: round(Math.max(...each), 3), rack_copies_mean: round(mean, 3) }
}

/** Copies of the payload over each uplink, in and out, and the most over one of them either way. */
function uplinkCopies(uplinks: readonly UplinkBytes[], payloadBytes: number) {
  const copiesOf = (bytes: number) => round(payloadOf(bytes) / payloadBytes, 3)
  const each = uplinks.map(({ inBytes, outBytes }) => [copiesOf(inBytes), copiesOf(outBytes)])
  return { uplink_copies_max: each.length === 0 ? null : Math.max(...each.flat()), uplinks: each }
}
