/**
 * What a node gets from its groups, profiles and entries, and which line of the configuration gives it. From the weakest to
 * the strongest: what is for every node (`settings`, `netboot`, the profile `default`), the profiles of the node's groups
 * in their order, the profiles of the node, the node's own values, and what it boots once. Pure.
 */

import type { Config } from './config.js'
import type { NetbootConfig } from './config-netboot.js'
import type { ConfigPath } from './config-path.js'
import type { PowerConfig } from './config-power.js'
import { fillIn } from './hostname-pattern.js'
import type { NextBoot } from './next-boot.js'
import { defaultHostname } from './node-id.js'
import type { NodeFacts } from './node-match.js'
import { defaultProfile } from './profiles.js'
import type { ChosenRack } from './racks.js'

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
  /** How it is switched off and on; undefined: nobody said. */
  readonly power: Chosen<PowerConfig> | undefined
  /** In the order in which the kernel sees them. */
  readonly kernelArgs: readonly Given<string>[]
  readonly settings: ReadonlyMap<string, Chosen<string>>
}

/** An entry of `nodes` or `groups` that is for a node. */
export interface Entry {
  /** Its place in the configuration. */
  readonly at: number
  /** The node's place among those that it lists, from 1; undefined: it is not one of them. */
  readonly index: number | undefined
}

/** What one layer says; later ones win, setting by setting. */
interface Layer {
  readonly by: string
  readonly path: ConfigPath
  readonly says: {
    readonly rootfs?: string | undefined
    readonly plugins?: readonly string[] | undefined
    readonly root?: NetbootConfig['root'] | undefined
    readonly power?: PowerConfig | undefined
    readonly kernel_args?: string | undefined
    readonly settings: Readonly<Record<string, string>>
  }
}

/** What concerns a node. */
export interface NodeParts {
  readonly rack: Given<string>
  readonly groups: readonly Entry[]
  readonly nodes: readonly Entry[]
  /** What it boots in this boot only. */
  readonly once?: NextBoot | undefined
}

/**
 * Puts the values of a node together.
 *
 * @param withBases of each profile all that it extends, and itself last
 */
export function resolveValues(
  config: DesiredState,
  facts: NodeFacts,
  parts: NodeParts,
  withBases: ReadonlyMap<string, readonly string[]>,
): ResolvedNode {
  const { layers, profiles } = layersOf(config, parts, withBases)
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
    groups: parts.groups.flatMap(({ at }) => config.groups[at]?.name ?? []),
    profiles,
    hostname: hostnameOf(config, facts, parts),
    rack: parts.rack,
    rootfs: strongest(all('rootfs', ({ rootfs }) => rootfs)),
    plugins: all('plugins', ({ plugins }) => plugins).flatMap(({ value, by, path }) =>
      value.map((name, at) => ({ value: name, by, path: [...path, at] })),
    ),
    root: root ?? { value: config.netboot.root, by: everyNode, path: ['netboot', 'root'], over: [] },
    power: strongest(all('power', ({ power }) => power)),
    kernelArgs: kernelArgsOf(all('kernel_args', ({ kernel_args: args }) => args)),
    settings,
  }
}

const everyNode = 'every node'
const ownValues = 'node'
const onceOnly = 'next boot'

/** The layers in rising precedence, and the profiles among them. A profile that comes again counts where it comes last. */
function layersOf(
  config: DesiredState,
  { groups, nodes, once }: NodeParts,
  withBases: ReadonlyMap<string, readonly string[]>,
) {
  const byProfile = new Map<string, string>()
  const add = (names: readonly string[] = [], by: string): void => {
    for (const name of names) {
      for (const profile of withBases.get(name) ?? []) {
        byProfile.delete(profile)
        byProfile.set(profile, `profile ${profile} (${by})`)
      }
    }
  }
  if (withBases.has(defaultProfile)) add([defaultProfile], everyNode)
  for (const { at } of groups) add(config.groups[at]?.profile, `group ${config.groups[at]?.name}`)
  add(
    nodes.map(({ at }) => config.nodes[at]?.profile).findLast((profile) => profile !== undefined),
    ownValues,
  )
  const layers: Layer[] = [
    { by: everyNode, path: ['netboot'], says: { ...config.netboot, settings: config.settings } },
  ]
  for (const [name, by] of byProfile) {
    const says = config.profiles[name]
    if (says !== undefined) layers.push({ by, path: ['profiles', name], says })
  }
  for (const { at } of nodes) {
    const says = config.nodes[at]
    if (says !== undefined) layers.push({ by: ownValues, path: ['nodes', at], says })
  }
  const onces = (once?.profile ?? []).flatMap((name) => withBases.get(name) ?? [])
  for (const name of onces) {
    const says = config.profiles[name]
    if (says !== undefined)
      layers.push({ by: `profile ${name} (${onceOnly})`, path: ['profiles', name], says })
  }
  if (once?.rootfs !== undefined)
    layers.push({ by: onceOnly, path: [], says: { rootfs: once.rootfs, settings: {} } })
  return { layers, profiles: [...new Set([...byProfile.keys(), ...onces])] }
}

/** A node's rack: its own, else by the rules of `racks`. */
export function rackGiven(
  config: DesiredState,
  entries: readonly Entry[],
  byRule: ChosenRack,
): Given<string> {
  for (const { at } of [...entries].reverse()) {
    const own = config.nodes[at]?.rack
    if (own !== undefined) return { value: own, by: ownValues, path: ['nodes', at, 'rack'] }
  }
  const { name, rule } = byRule
  if (rule === undefined) return { value: name, by: '', path: [] }
  return { value: name, by: 'racks', path: ['racks', rule, 'name'] }
}

/** A pattern that says something which is not known of the node is passed over. */
function hostnameOf(
  config: DesiredState,
  { id, rack, machine }: NodeFacts,
  { groups, nodes }: NodeParts,
): Chosen<string> {
  const own: Given<string> = { value: defaultHostname(id), by: '', path: [] }
  const given = (list: 'groups' | 'nodes', { at, index }: Entry, by: string): Given<string>[] => {
    const pattern = config[list][at]?.hostname
    const value =
      pattern === undefined ? undefined : fillIn(pattern, { id, rack, index, serial: machine?.dmi.serial })
    return value === undefined ? [] : [{ value, by, path: [list, at, 'hostname'] }]
  }
  const others = [
    ...groups.flatMap((entry) => given('groups', entry, `group ${config.groups[entry.at]?.name}`)),
    ...nodes.flatMap((entry) => given('nodes', entry, ownValues)),
  ]
  return strongest([own, ...others]) ?? { ...own, over: [] }
}

/** Of a node's own words the last count, as they did before there were profiles; those of all others are put together. */
function kernelArgsOf(given: readonly Given<string>[]): Given<string>[] {
  const lastOwn = given.findLast(({ by }) => by === ownValues)
  return given.filter((one) => (one.by !== ownValues || one === lastOwn) && one.value !== '')
}

function strongest<T>(given: readonly Given<T>[]): Chosen<T> | undefined {
  const last = given.at(-1)
  return last === undefined ? undefined : { ...last, over: given.slice(0, -1).reverse() }
}

function withoutOver<T>({ value, by, path }: Chosen<T>): Given<T> {
  return { value, by, path }
}
