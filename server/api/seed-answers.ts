/**
 * Answers booted nodes about their seeding, from registry, catalog and configuration. The decision is
 * nodes/giveback.ts.
 */
import type { ArtifactChoice } from '../../src/artifact-choice.js'
import type { Catalog } from '../catalog/catalog.js'
import { chooseArtifacts } from '../catalog/choice.js'
import { calmInMs, isWholeSeed, reportAfterS, SeedCensus, type SeedRules } from '../nodes/giveback.js'
import type { NodeRegistry } from '../nodes/registry.js'
import type { NodeRecord } from '../nodes/state.js'
import type { Logger } from '../process/log.js'

/** Calm for the tracker where nodes are never told to end, seconds. */
const calmUnsetS = 900
/** Every announce asks; the answer holds for so long, milliseconds. */
const calmLookMs = 1000
/** Every report and every status asks too: of so many nodes a look at all of them holds for a millisecond, which costs a hundredth of the time. */
const lookNodesPerMs = 16

/** What the answers are made from. */
export interface SeedSources {
  readonly rules: SeedRules
  readonly registry: Pick<NodeRegistry, 'get' | 'list' | 'seedTold'>
  readonly catalog: Pick<Catalog, 'live'>
  /** Which artifacts of a version a node boots, as the configuration says now: it may have said otherwise at its boot. */
  readonly choiceOf: (node: NodeRecord) => ArtifactChoice
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
  #looked = { atMs: 0, untilMs: Number.NEGATIVE_INFINITY, calmMs: 0, seedNodes: 0, seeds: new SeedCensus() }

  constructor(sources: SeedSources) {
    this.#sources = sources
  }

  /** For a node that has just reported: seconds until it shall report again, 0: it shall end; undefined: it does not seed. */
  seedS(id: string): number | undefined {
    const { registry, rules } = this.#sources
    const node = registry.get(id)
    if (node?.state !== 'booted' || node.seeding === 'no') {
      this.#looked.seeds.delete(id)
      return undefined
    }
    const { calmMs, seeds } = this.#look()
    const seed = { rack: node.rack, infohashes: this.#wanted()(node) }
    // Counted without itself; whether it goes on counting is what it is told.
    seeds.delete(id)
    const seedS = reportAfterS(seed, seeds, calmMs, rules)
    registry.seedTold(id, seedS)
    if (seedS === 0 && !this.#isOver) this.#tellOver(seeds.size + 1)
    this.#isOver = seedS === 0 || (this.#isOver && calmMs === 0)
    if (seedS > 0 && node.seeding === 'whole') seeds.put(id, seed)
    return seedS
  }

  /** How the site stands, of a large one up to a second old. */
  #look(): { readonly calmMs: number; readonly seedNodes: number; readonly seeds: SeedCensus } {
    const nowMs = this.#sources.nowMs()
    const { atMs, untilMs } = this.#looked
    if (nowMs >= untilMs || nowMs < atMs) {
      const nodes = this.#sources.registry.list()
      const calmMs = this.#calmInMs(nodes)
      const seeds = nodes.filter((node) => this.#isSeed(node))
      // Before it is calm nobody is told to end, whoever else seeds.
      const counted = calmMs > 0 ? [] : seeds
      const wantedOf = this.#wanted()
      this.#looked = {
        atMs: nowMs,
        untilMs: nowMs + Math.floor(nodes.length / lookNodesPerMs),
        calmMs,
        seedNodes: seeds.length,
        seeds: new SeedCensus(
          counted.map((node) => [node.id, { rack: node.rack, infohashes: wantedOf(node) }]),
        ),
      }
    }
    return this.#looked
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
    const { calmMs, seedNodes } = this.#look()
    return {
      nodes: seedNodes,
      calmInS: this.#sources.rules.calmS === 0 ? null : Math.ceil(calmMs / 1000),
    }
  }

  #calmInMs(nodes: readonly NodeRecord[]): number {
    return calmInMs(nodes, this.#sources.arriving(), this.#sources.rules.calmS, this.#sources.nowMs())
  }

  #isSeed(node: NodeRecord): boolean {
    return isWholeSeed(node, this.#sources.nowMs())
  }

  /** Which of the artifacts that a node has others may still need: those of the current version. */
  #wanted(): (node: NodeRecord) => readonly string[] {
    const { catalog, choiceOf } = this.#sources
    const wanted = new Set(catalog.live.current?.artifacts.map(({ torrent }) => torrent?.infohash))
    const known = new Map<string, readonly string[]>()
    return (node) => {
      const choice = choiceOf(node)
      const key = `${node.version} ${JSON.stringify(choice)}`
      const before = known.get(key)
      if (before !== undefined) return before
      const version = catalog.live.get(node.version)
      const held = (version && chooseArtifacts(version, choice)) ?? []
      const still = held.flatMap(({ torrent }) => torrent?.infohash ?? []).filter((hash) => wanted.has(hash))
      known.set(key, still)
      return still
    }
  }

  #tellOver(seeds: number): void {
    const facts = { event: 'seeding.over', seeds }
    this.#sources.log.info(
      facts,
      'The storm is over: nodes give the memory of their artifacts back, but for some',
    )
  }
}
