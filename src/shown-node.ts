/** What a node gets, and which line of the configuration gives it, as programs read it. Pure. */

import type { PlacedConfig } from './config-parse.js'
import { type PowerConfig, powerText } from './config-power.js'
import { commandLine } from './node-config.js'
import type { Chosen, Given, ResolvedNode } from './node-values.js'

/** A value, and where it comes from. */
export interface ShownValue {
  readonly value: string
  /** As in {@link Given}. */
  readonly by: string
  /** `FILE:LINE:COLUMN`, a variable or a flag; empty: nobody gave it. */
  readonly place: string
}

/** With those that it is stronger than, the strongest first. */
export interface ShownChoice extends ShownValue {
  readonly over: ShownValue[]
}

/** All that a node gets. */
export interface ShownNode {
  readonly id: string
  /** The configuration names it. */
  readonly named: boolean
  readonly groups: string[]
  /** Groups that it may be in, by what is not known of it. */
  readonly open_groups: string[]
  readonly profiles: string[]
  readonly hostname: ShownChoice
  /** `behind`: racks that its own hangs behind, the nearest first. */
  readonly rack: ShownValue & { readonly behind: string[] }
  /** Null: the newest that no profile names. */
  readonly rootfs: ShownChoice | null
  /** None: all. */
  readonly plugins: ShownValue[]
  readonly root: ShownChoice
  /** How it is switched off and on; null: nobody said. */
  readonly power: ShownChoice | null
  readonly kernel_args: ShownValue[]
  readonly kernel_command_line: string
  readonly settings: Record<string, ShownChoice>
}

/** What is to be shown of a node. */
export interface NodeToShow {
  readonly node: ResolvedNode
  readonly placeOf: PlacedConfig['placeOf']
  readonly isNamed: boolean
  readonly racksAbove: readonly string[]
  readonly openGroups: readonly string[]
}

/** With the places of all values. */
export function shownNode({ node, placeOf, isNamed, racksAbove, openGroups }: NodeToShow): ShownNode {
  const given = ({ value, by, path }: Given<string>) => ({ value, by, place: placeOf(path) ?? '' })
  const chosen = (value: Chosen<string>) => ({ ...given(value), over: value.over.map(given) })
  const { power } = node
  return {
    id: node.id,
    named: isNamed,
    groups: [...node.groups],
    open_groups: [...openGroups],
    profiles: [...node.profiles],
    hostname: chosen(node.hostname),
    rack: { ...given(node.rack), behind: [...racksAbove] },
    rootfs: node.rootfs === undefined ? null : chosen(node.rootfs),
    plugins: node.plugins.map(given),
    root: chosen(node.root),
    power: power === undefined ? null : chosen({ ...asText(power), over: power.over.map(asText) }),
    kernel_args: node.kernelArgs.map(given),
    kernel_command_line: commandLine(node),
    settings: Object.fromEntries([...node.settings].map(([name, value]) => [name, chosen(value)])),
  }
}

function asText<Shown extends Given<PowerConfig>>(power: Shown) {
  return { ...power, value: powerText(power.value) }
}
