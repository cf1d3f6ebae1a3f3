/**
 * The racks of one torrent's agents, by how many racks lie between them and the server: what is handed out far from it
 * crosses every link on the way. Bookkeeping; no I/O, no clock.
 */

/** The agents of one rack, and what it was handed. */
export interface Rack<Agent> {
  readonly name: string
  /** Racks between it and the server. */
  readonly depth: number
  readonly agents: Set<Agent>
  outstanding: number
  /** Pieces that came into the farm through it. */
  received: number
}

/** The racks of one depth. */
export interface Tier<Agent> {
  readonly depth: number
  readonly racks: ReadonlySet<Rack<Agent>>
  /** Agents in all of them. */
  readonly agents: number
}

/** All racks that have agents. */
export class HandoutRacks<Agent extends { readonly rack: Rack<Agent> }> {
  readonly #racks = new Map<string, Rack<Agent>>()
  /** Those nearest to the server first. */
  #tiers: { depth: number; racks: Set<Rack<Agent>>; agents: number }[] = []

  get tiers(): readonly Tier<Agent>[] {
    return this.#tiers
  }

  /** The rack that an agent is about to be entered in. */
  at(name: string, depth: number): Rack<Agent> {
    const key = keyOf({ name, depth })
    const rack = this.#racks.get(key) ?? { name, depth, agents: new Set(), outstanding: 0, received: 0 }
    this.#racks.set(key, rack)
    return rack
  }

  /** Enters an agent in its rack. */
  add(agent: Agent): void {
    const { rack } = agent
    rack.agents.add(agent)
    const tier = this.#tiers.find(({ depth }) => depth === rack.depth)
    if (tier === undefined) {
      this.#tiers.push({ depth: rack.depth, racks: new Set([rack]), agents: 1 })
      this.#tiers.sort((a, b) => a.depth - b.depth)
      return
    }
    tier.racks.add(rack)
    tier.agents++
  }

  delete(agent: Agent): void {
    const { rack } = agent
    if (!rack.agents.delete(agent)) return
    const tier = this.#tiers.find(({ depth }) => depth === rack.depth)
    if (tier === undefined) return
    tier.agents--
    if (rack.agents.size > 0) return
    this.#racks.delete(keyOf(rack))
    tier.racks.delete(rack)
    if (tier.racks.size === 0) this.#tiers = this.#tiers.filter((other) => other !== tier)
  }
}

function keyOf({ name, depth }: { readonly name: string; readonly depth: number }): string {
  return `${depth} ${name}`
}
