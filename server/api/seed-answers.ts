/**
 * Answers booted nodes about their seeding, from registry, catalog and configuration. The decision is
 * nodes/giveback.ts.
 */
import type { Catalog } from '../catalog/catalog.js'
import { calmInMs, isWholeSeed, reportAfterS, type Seed, type SeedRules } from '../nodes/giveback.js'
import type { NodeRegistry } from '../nodes/registry.js'
import type { NodeRecord } from '../nodes/state.js'
import type { Logger } from '../process/log.js'

/** Calm for the tracker where nodes are never told to end, seconds. */
const calmUnsetS = 900
/** Every announce asks; the answer holds for so long. */
const calmLookMs = 1000

/** What the answers are made from. */
export interface SeedSources {
  readonly rules: SeedRules
  readonly registry: Pick<NodeRegistry, 'get' | 'list' | 'seedTold'>
  readonly catalog: Pick<Catalog, 'live'>
  /** Nodes that load kernel or stage 1, or wait for their turn to. */
  readonly arriving: () => number
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number
  readonly log: Pick<Logger, 'info'>
}

/** How the seeds stand. */
export interface SeedStats {
  /** Nodes that seed all artifacts of the version they booted. */
  readonly nodes: number
  /** Seconds until nodes are told to stop, if no other node boots; 0: they are told now; null: never. */
  readonly calmInS: number | null
}

/** The answers. */
export class SeedAnswers {
  readonly #sources: SeedSources
  #isOver = false
  #calm = { isCalm: false, untilMs: 0 }

  constructor(sources: SeedSources) {
    this.#sources = sources
  }

  /** For a node that has just reported: seconds until it shall report again, 0: it shall end; undefined: it does not seed. */
  seedS(id: string): number | undefined {
    const { registry, rules } = this.#sources
    const node = registry.get(id)
    if (node?.state !== 'booted' || node.seeding === 'no') return undefined
    const nodes = registry.list()
    const calmMs = this.#calmInMs(nodes)
    const others = calmMs > 0 ? [] : this.#seeds(nodes.filter((other) => other.id !== id))
    const seedS = reportAfterS(this.#seed(node), others, calmMs, rules)
    registry.seedTold(id, seedS)
    if (seedS === 0 && !this.#isOver) this.#tellOver(others.length + 1)
    this.#isOver = seedS === 0 || (this.#isOver && calmMs === 0)
    return seedS
  }

  /** Whether few nodes have booted for a while; up to a second old. */
  isCalm(): boolean {
    const nowMs = this.#sources.nowMs()
    if (nowMs >= this.#calm.untilMs || nowMs < this.#calm.untilMs - calmLookMs) {
      const { registry, arriving, rules } = this.#sources
      const calmS = rules.calmS === 0 ? calmUnsetS : rules.calmS
      const isCalm = calmInMs(registry.list(), arriving(), calmS, nowMs) === 0
      this.#calm = { isCalm, untilMs: nowMs + calmLookMs }
    }
    return this.#calm.isCalm
  }

  /** Counters. */
  stats(): SeedStats {
    const nodes = this.#sources.registry.list()
    const { calmS } = this.#sources.rules
    return {
      nodes: nodes.filter((node) => this.#isSeed(node)).length,
      calmInS: calmS === 0 ? null : Math.ceil(this.#calmInMs(nodes) / 1000),
    }
  }

  #calmInMs(nodes: readonly NodeRecord[]): number {
    return calmInMs(nodes, this.#sources.arriving(), this.#sources.rules.calmS, this.#sources.nowMs())
  }

  #isSeed(node: NodeRecord): boolean {
    return isWholeSeed(node, this.#sources.nowMs())
  }

  #seeds(nodes: readonly NodeRecord[]): Seed[] {
    return nodes.filter((node) => this.#isSeed(node)).map((node) => this.#seed(node))
  }

  #seed({ rack, version }: NodeRecord): Seed {
    const { live } = this.#sources.catalog
    const wanted = new Set(live.current?.artifacts.map(({ torrent }) => torrent?.infohash))
    const held = live.get(version)?.artifacts.flatMap(({ torrent }) => torrent?.infohash ?? []) ?? []
    return { rack, infohashes: held.filter((infohash) => wanted.has(infohash)) }
  }

  #tellOver(seeds: number): void {
    const facts = { event: 'seeding.over', seeds }
    this.#sources.log.info(
      facts,
      'The storm is over: nodes give the memory of their artifacts back, but for some',
    )
  }
}
