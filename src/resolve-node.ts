/**
 * Prepares a configuration for the question what a node gets: which entries and groups it has. What they give it is
 * node-values.ts. Pure.
 */

import { expandHostlist } from './hostlist.js'
import { isPattern } from './hostname-pattern.js'
import type { NextBoot } from './next-boot.js'
import { comparable, makeNodeMatch, type NodeFacts, type NodeMatch } from './node-match.js'
import { type DesiredState, type Entry, type ResolvedNode, rackGiven, resolveValues } from './node-values.js'
import { withBases } from './profiles.js'
import { makeRackChoice, type RelayIdsOf } from './racks.js'

/** What is known of a node beside the configuration. */
export type AskedNode = Pick<NodeFacts, 'id' | 'address' | 'arch' | 'machine'>

/** A group that is ready to be asked. */
export interface ReadyGroup {
  readonly name: string
  readonly match: NodeMatch
}

/** Answers for every node; prepared once from a configuration without mistakes. */
export interface NodeResolver {
  /** `once`: what it boots in this boot only. */
  readonly resolve: (node: AskedNode, once?: NextBoot) => ResolvedNode
  /** As if the node were in these groups and in no others. */
  readonly resolveIn: (node: AskedNode, groups: readonly string[]) => ResolvedNode
  readonly rackOf: (id: string | undefined, address: string) => string
  readonly groups: readonly ReadyGroup[]
  /** What some node gets depends on what its machine is. */
  readonly isByMachine: boolean
  /** The identities that `nodes` names. */
  readonly ids: ReadonlySet<string>
  /** Whether `nodes` or the list of a group names an identity. */
  readonly isNamed: (id: string) => boolean
  /** By what groups know a node: its identity and, if it alone is given one, its host name. */
  readonly namesOf: (id: string) => readonly string[]
  /** The identities that have a host name (or are it): the one that single nodes are given. */
  readonly idsOf: (name: string) => readonly string[]
}

/** @throws BootswarmError CONFIG_INVALID for a wrong hostlist */
export function makeNodeResolver(config: DesiredState, relayIdsOf: RelayIdsOf = () => []): NodeResolver {
  const entriesOf = makeEntries(config)
  const names = new GivenNames(config, entriesOf)
  const bases = new Map(Object.keys(config.profiles).map((name) => [name, withBases(name, config.profiles)]))
  const groups = config.groups.map(({ name, match }) => ({ name, match: makeNodeMatch(match) }))
  const candidates = makeCandidates(groups)
  const listed = new Set(groups.flatMap(({ match }) => match.listed))
  const byRule = makeRackChoice(config.racks, relayIdsOf)
  const rackOf = (id: string | undefined, address: string) =>
    rackGiven(config, id === undefined ? [] : (entriesOf.get(id) ?? []), byRule(id, address))
  const resolveIn = (
    node: AskedNode,
    groupsOf: (facts: NodeFacts, known: readonly string[]) => number[],
    once?: NextBoot,
  ) => {
    const rack = rackOf(node.id, node.address)
    const facts = { ...node, rack: rack.value, relayIds: relayIdsOf(node.id) }
    const known = names.of(node.id)
    const found = groupsOf(facts, known).map((at) => ({ at, index: groups[at]?.match.indexOf(known) }))
    const parts = { rack, groups: found, nodes: entriesOf.get(node.id) ?? [], once }
    return resolveValues(config, facts, parts, bases)
  }
  return {
    resolve: (node, once) => {
      const groupsOf = (facts: NodeFacts, known: readonly string[]) => {
        const compared = comparable(facts)
        return candidates(known).filter((at) => groups[at]?.match.holds(compared, known) === true)
      }
      return resolveIn(node, groupsOf, once)
    },
    resolveIn: (node, wanted) =>
      resolveIn(node, () => groups.flatMap(({ name }, at) => (wanted.includes(name) ? [at] : []))),
    rackOf: (id, address) => rackOf(id, address).value,
    groups,
    isByMachine:
      groups.some(({ match }) => match.isByMachine) ||
      [...config.groups, ...config.nodes].some(({ hostname }) => hostname?.includes('{serial}')),
    ids: new Set(entriesOf.keys()),
    isNamed: (id) => entriesOf.has(id) || listed.has(id),
    namesOf: (id) => names.of(id),
    idsOf: (name) => names.idsOf(name),
  }
}

/** The entries of `nodes` that are for each node. */
function makeEntries({ nodes }: DesiredState): Map<string, Entry[]> {
  const entriesOf = new Map<string, Entry[]>()
  for (const [at, { match }] of nodes.entries()) {
    for (const [place, id] of expandHostlist(match).entries()) {
      const entries = entriesOf.get(id) ?? []
      entriesOf.set(id, entries)
      entries.push({ at, index: place + 1 })
    }
  }
  return entriesOf
}

/** The groups that a node may be in, in their order: those that list it, and those that need not to. */
function makeCandidates(groups: readonly ReadyGroup[]): (names: readonly string[]) => number[] {
  const open: number[] = []
  const listing = new Map<string, number[]>()
  for (const [at, { match }] of groups.entries()) {
    if (match.isOpen) open.push(at)
    else {
      for (const name of match.listed) {
        const before = listing.get(name)
        if (before === undefined) listing.set(name, [at])
        else before.push(at)
      }
    }
  }
  return (names) => {
    const listed = names.flatMap((name) => listing.get(name) ?? [])
    return listed.length === 0 ? open : [...new Set([...open, ...listed])].sort((a, b) => a - b)
  }
}

/** Every identity that the configuration names. A host name that groups list stands for the nodes that have it. */
export function namedIds({ ids, groups, idsOf }: NodeResolver): Set<string> {
  const named = new Set(ids)
  for (const { match } of groups) {
    for (const name of match.listed) {
      const owners = idsOf(name)
      if (owners.length === 0) named.add(name)
      for (const id of owners) named.add(id)
    }
  }
  return named
}

/** The host names that `nodes` gives to single nodes, by which groups know them too. */
class GivenNames {
  readonly #nameOf = new Map<string, string>()
  readonly #idsOf = new Map<string, string[]>()

  constructor({ nodes }: DesiredState, entriesOf: ReadonlyMap<string, readonly Entry[]>) {
    for (const [id, entries] of entriesOf) {
      const given = entries.map(({ at }) => nodes[at]?.hostname).findLast((name) => name !== undefined)
      if (given === undefined || isPattern(given)) continue
      const name = given.toLowerCase()
      this.#nameOf.set(id, name)
      this.#idsOf.set(name, [...(this.#idsOf.get(name) ?? []), id])
    }
  }

  of(id: string): readonly string[] {
    const name = this.#nameOf.get(id)
    return name === undefined ? [id] : [id, name]
  }

  idsOf(name: string): readonly string[] {
    return this.#idsOf.get(name) ?? []
  }
}
