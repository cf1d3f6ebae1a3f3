/**
 * What the configuration gives to a node, and which of its lines gives it. From the weakest to the strongest: what is
 * for every node (`settings`, `netboot`, the profile `default`), the profiles of the node's groups in their order, the
 * profiles of the node, the node's own values. Pure.
 */

import type { Config } from './config.js'
import type { NetbootConfig } from './config-netboot.js'
import type { ConfigPath } from './config-path.js'
import { expandHostlist } from './hostlist.js'
import { fillIn, isPattern } from './hostname-pattern.js'
import { defaultHostname } from './node-id.js'
import { comparable, makeNodeMatch, type NodeFacts, type NodeMatch } from './node-match.js'
import { defaultProfile, withBases } from './profiles.js'
import { type ChosenRack, makeRackChoice, type RelayIdsOf } from './racks.js'

/** The parts of a configuration that say what nodes get. */
export type DesiredState = Pick<Config, 'profiles' | 'groups' | 'nodes' | 'racks' | 'settings'> & {
  readonly netboot: Pick<NetbootConfig, 'kernel_args' | 'root'>
}

/** A value, and where it comes from. */
export interface Given<T> {
  readonly value: T
  /** Who gives it: `every node`, `profile gpu (group rigs)`, `node`; empty: it follows from the node itself. */
  readonly by: string
  readonly path: ConfigPath
}

/** The value that a node gets, and those that it is stronger than, the strongest first. */
export interface Chosen<T> extends Given<T> {
  readonly over: readonly Given<T>[]
}

/** All that a node gets. */
export interface ResolvedNode {
  readonly id: string
  readonly groups: readonly string[]
  /** In rising precedence. */
  readonly profiles: readonly string[]
  readonly hostname: Chosen<string>
  readonly rack: Given<string>
  /** Undefined: the newest that no profile names. */
  readonly rootfs: Chosen<string> | undefined
  /** In the order in which they are applied; none: all plugins. */
  readonly plugins: readonly Given<string>[]
  readonly root: Chosen<NetbootConfig['root']>
  /** In the order in which the kernel sees them. */
  readonly kernelArgs: readonly Given<string>[]
  readonly settings: ReadonlyMap<string, Chosen<string>>
}

/** What is known of a node beside the configuration. */
export type AskedNode = Pick<NodeFacts, 'id' | 'address' | 'arch'>

/** A group that is ready to be asked. */
export interface ReadyGroup {
  readonly name: string
  readonly match: NodeMatch
}

/** Answers for every node; prepared once from a configuration without mistakes. */
export interface NodeResolver {
  readonly resolve: (node: AskedNode) => ResolvedNode
  /** As if the node were in these groups and in no others. */
  readonly resolveIn: (node: AskedNode, groups: readonly string[]) => ResolvedNode
  readonly rackOf: (id: string | undefined, address: string) => string
  readonly groups: readonly ReadyGroup[]
  /** The identities that `nodes` names. */
  readonly ids: ReadonlySet<string>
  /** Whether `nodes` or the list of a group names an identity. */
  readonly isNamed: (id: string) => boolean
  /** By what groups know a node: its identity and, if it alone is given one, its host name. */
  readonly namesOf: (id: string) => readonly string[]
  /** The identities that have a host name (or are it): the one that single nodes are given. */
  readonly idsOf: (name: string) => readonly string[]
}

/** What one layer says; later ones win, setting by setting. */
interface Layer {
  readonly by: string
  readonly path: ConfigPath
  readonly says: {
    readonly rootfs?: string | undefined
    readonly plugins?: readonly string[] | undefined
    readonly root?: NetbootConfig['root'] | undefined
    readonly kernel_args?: string | undefined
    readonly settings: Readonly<Record<string, string>>
  }
}

/** An entry of `nodes` that is for a node, with the node's place in its hostlist. */
interface Entry {
  readonly at: number
  readonly index: number
}

/** @throws BootswarmError CONFIG_INVALID for a wrong hostlist */
export function makeNodeResolver(config: DesiredState, relayIdsOf: RelayIdsOf = () => []): NodeResolver {
  const entriesOf = new Map<string, Entry[]>()
  for (const [at, { match }] of config.nodes.entries()) {
    for (const [place, id] of expandHostlist(match).entries()) {
      const entries = entriesOf.get(id) ?? []
      entriesOf.set(id, entries)
      entries.push({ at, index: place + 1 })
    }
  }
  const names = new GivenNames(config, entriesOf)
  const lines = new Map(Object.keys(config.profiles).map((name) => [name, withBases(name, config.profiles)]))
  const groups = config.groups.map(({ name, match }) => ({ name, match: makeNodeMatch(match) }))
  const byRule = makeRackChoice(config.racks, relayIdsOf)
  const rackOf = (id: string | undefined, address: string) =>
    rackGiven(config, id === undefined ? [] : (entriesOf.get(id) ?? []), byRule(id, address))
  const candidates = makeCandidates(groups)
  const listed = new Set(groups.flatMap(({ match }) => match.listed))
  const resolveIn = (node: AskedNode, groupsOf: (facts: NodeFacts, known: readonly string[]) => number[]) => {
    const entries = entriesOf.get(node.id) ?? []
    const rack = rackOf(node.id, node.address)
    const facts = { ...node, rack: rack.value, relayIds: relayIdsOf(node.id) }
    const known = names.of(node.id)
    const found = groupsOf(facts, known)
    return together(config, facts, { entries, rack, groups: found, matches: groups, names: known, lines })
  }
  return {
    resolve: (node) =>
      resolveIn(node, (facts, known) => {
        const compared = comparable(facts)
        return candidates(known).filter((at) => groups[at]?.match.holds(compared, known) === true)
      }),
    resolveIn: (node, wanted) =>
      resolveIn(node, () => groups.flatMap(({ name }, at) => (wanted.includes(name) ? [at] : []))),
    rackOf: (id, address) => rackOf(id, address).value,
    groups,
    ids: new Set(entriesOf.keys()),
    isNamed: (id) => entriesOf.has(id) || listed.has(id),
    namesOf: (id) => names.of(id),
    idsOf: (name) => names.idsOf(name),
  }
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

/** What is known of a node when its values are put together. */
interface Parts {
  readonly entries: readonly Entry[]
  readonly rack: Given<string>
  /** Indexes of the node's groups. */
  readonly groups: readonly number[]
  readonly matches: readonly ReadyGroup[]
  readonly names: readonly string[]
  readonly lines: ReadonlyMap<string, readonly string[]>
}

function together(config: DesiredState, facts: NodeFacts, parts: Parts): ResolvedNode {
  const { layers, profiles } = layersOf(config, parts)
  const all = <T>(key: keyof Layer['says'], of: (says: Layer['says']) => T | undefined): Given<T>[] =>
    layers.flatMap(({ by, path, says }) => {
      const value = of(says)
      return value === undefined ? [] : [{ value, by, path: [...path, key] }]
    })
  const settings = new Map<string, Chosen<string>>()
  for (const { by, path, says } of layers) {
    for (const [name, value] of Object.entries(says.settings)) {
      const given = { value, by, path: [...(path[0] === 'netboot' ? [] : path), 'settings', name] }
      const before = settings.get(name)
      settings.set(name, {
        ...given,
        over: before === undefined ? [] : [withoutOver(before), ...before.over],
      })
    }
  }
  const root = strongest(all('root', ({ root }) => root))
  return {
    id: facts.id,
    groups: parts.groups.flatMap((at) => config.groups[at]?.name ?? []),
    profiles,
    hostname: hostnameOf(config, facts, parts),
    rack: parts.rack,
    rootfs: strongest(all('rootfs', ({ rootfs }) => rootfs)),
    plugins: all('plugins', ({ plugins }) => plugins).flatMap(({ value, by, path }) =>
      value.map((name, at) => ({ value: name, by, path: [...path, at] })),
    ),
    root: root ?? { value: config.netboot.root, by: everyNode, path: ['netboot', 'root'], over: [] },
    kernelArgs: kernelArgsOf(all('kernel_args', ({ kernel_args: args }) => args)),
    settings,
  }
}

const everyNode = 'every node'
const ownValues = 'node'

/** The layers in rising precedence, and the profiles among them. A profile that comes again counts where it comes last. */
function layersOf(config: DesiredState, { entries, groups, lines }: Parts) {
  const byProfile = new Map<string, string>()
  const add = (names: readonly string[] = [], by: string): void => {
    for (const name of names) {
      for (const line of lines.get(name) ?? []) {
        byProfile.delete(line)
        byProfile.set(line, `profile ${line} (${by})`)
      }
    }
  }
  if (lines.has(defaultProfile)) add([defaultProfile], everyNode)
  for (const at of groups) add(config.groups[at]?.profile, `group ${config.groups[at]?.name}`)
  add(
    entries.map(({ at }) => config.nodes[at]?.profile).findLast((profile) => profile !== undefined),
    ownValues,
  )
  const layers: Layer[] = [
    { by: everyNode, path: ['netboot'], says: { ...config.netboot, settings: config.settings } },
  ]
  for (const [name, by] of byProfile) {
    const says = config.profiles[name]
    if (says !== undefined) layers.push({ by, path: ['profiles', name], says })
  }
  for (const { at } of entries) {
    const says = config.nodes[at]
    if (says !== undefined) layers.push({ by: ownValues, path: ['nodes', at], says })
  }
  return { layers, profiles: [...byProfile.keys()] }
}

function rackGiven(config: DesiredState, entries: readonly Entry[], byRule: ChosenRack): Given<string> {
  const at = entries.findLast((entry) => config.nodes[entry.at]?.rack !== undefined)?.at
  const own = at === undefined ? undefined : config.nodes[at]?.rack
  if (own !== undefined) return { value: own, by: ownValues, path: ['nodes', at ?? 0, 'rack'] }
  const { name, rule } = byRule
  return {
    value: name,
    by: rule === undefined ? '' : 'racks',
    path: rule === undefined ? [] : ['racks', rule, 'name'],
  }
}

/** What says something that is not known of the node is passed over. */
function hostnameOf(config: DesiredState, { id, rack }: NodeFacts, parts: Parts): Chosen<string> {
  const { entries, groups, matches, names } = parts
  const found: Given<string>[] = [{ value: defaultHostname(id), by: '', path: [] }]
  const add = (
    pattern: string | undefined,
    index: number | undefined,
    by: string,
    path: ConfigPath,
  ): void => {
    const value = pattern === undefined ? undefined : fillIn(pattern, { id, rack, index })
    if (value !== undefined) found.push({ value, by, path: [...path, 'hostname'] })
  }
  for (const at of groups) {
    const group = config.groups[at]
    add(group?.hostname, matches[at]?.match.indexOf(names), `group ${group?.name}`, ['groups', at])
  }
  for (const { at, index } of entries) add(config.nodes[at]?.hostname, index, ownValues, ['nodes', at])
  return strongest(found) ?? { value: defaultHostname(id), by: '', path: [], over: [] }
}

/** Of a node's own words the last count, as they did before there were profiles; those of all others are put together. */
function kernelArgsOf(given: readonly Given<string>[]): Given<string>[] {
  const own = given.filter(({ by }) => by === ownValues)
  return [...given.filter(({ by }) => by !== ownValues), ...own.slice(-1)].filter(({ value }) => value !== '')
}

function strongest<T>(given: readonly Given<T>[]): Chosen<T> | undefined {
  const last = given.at(-1)
  return last === undefined ? undefined : { ...last, over: given.slice(0, -1).reverse() }
}

function withoutOver<T>({ value, by, path }: Chosen<T>): Given<T> {
  return { value, by, path }
}
