/** A resolved node as lines and as JSON. Pure. */

import type { PlacedConfig } from '../../src/config-parse.js'
import { commandLine } from '../../src/node-config.js'
import type { Chosen, Given, ResolvedNode } from '../../src/node-values.js'

/** What is shown. */
export interface ShownNode {
  readonly node: ResolvedNode
  readonly placeOf: PlacedConfig['placeOf']
  /** The configuration names it. */
  readonly isNamed: boolean
  /** Racks that its own hangs behind, the nearest first. */
  readonly racksAbove: readonly string[]
  /** Groups that it may be in, by what is not known here. */
  readonly openGroups: readonly string[]
}

/** Name, value, who gives it, where. */
type Row = readonly [name: string, value: string, by: string, place: string]

/** Lines for a terminal. */
export function nodeLines({ node, placeOf, isNamed, racksAbove, openGroups }: ShownNode): string[] {
  const chosen = (name: string, value: Chosen<string> | Given<string>): Row[] => [
    rowOf(name, value, placeOf),
    ...('over' in value ? value.over : []).map((weaker) =>
      rowOf('', { ...weaker, value: `over ${weaker.value}` }, placeOf),
    ),
  ]
  const list = (name: string, given: readonly Given<string>[], none: string): Row[] =>
    given.length === 0
      ? [[name, none, '', '']]
      : given.map((value, n) => rowOf(n === 0 ? name : '', value, placeOf))
  const rows = [
    ...chosen('hostname', node.hostname),
    ...chosen('rack', node.rack),
    ...(racksAbove.length === 0 ? [] : ([['', `behind ${racksAbove.join(', ')}`, '', '']] as Row[])),
    ...(node.rootfs === undefined
      ? ([['rootfs', 'the newest that no profile names', '', '']] as Row[])
      : chosen('rootfs', node.rootfs)),
    ...list('plugins', node.plugins, 'all'),
    ...chosen('root', node.root),
    ...list('kernel_args', node.kernelArgs, 'none'),
    ...[...node.settings].flatMap(([name, value]) => chosen(`settings.${name}`, value)),
  ]
  return [
    `${node.id}${isNamed ? '' : ' (the configuration does not name it)'}`,
    `groups: ${node.groups.join(', ') || 'none'}`,
    `profiles: ${node.profiles.join(', ') || 'none'}`,
    '',
    ...aligned(rows),
    ...(openGroups.length === 0 ? [] : ['', unknownNote(openGroups)]),
  ]
}

function unknownNote(groups: readonly string[]): string {
  return `It may be in ${groups.join(', ')} too, which go by address, rack, switch port or architecture: --address, --relay-id, --arch say those.`
}

function rowOf(name: string, { value, by, path }: Given<string>, placeOf: PlacedConfig['placeOf']): Row {
  return [name, value, by, path.length === 0 ? '' : (placeOf(path) ?? 'default')]
}

/** A column ends where the longest of its cells does, within reason. */
function aligned(rows: readonly Row[]): string[] {
  const widths = [0, 1, 2].map((n) => Math.min(40, Math.max(...rows.map((row) => row[n]?.length ?? 0))))
  return rows.map((row) =>
    row
      .map((cell, n) => cell.padEnd(widths[n] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** The same for programs. */
export function nodeJson({ node, placeOf, isNamed, racksAbove, openGroups }: ShownNode): object {
  const given = ({ value, by, path }: Given<string>) => ({ value, by, place: placeOf(path) ?? '' })
  const chosen = (value: Chosen<string>) => ({ ...given(value), over: value.over.map(given) })
  return {
    id: node.id,
    named: isNamed,
    groups: node.groups,
    open_groups: openGroups,
    profiles: node.profiles,
    hostname: chosen(node.hostname),
    rack: { ...given(node.rack), behind: racksAbove },
    rootfs: node.rootfs === undefined ? null : chosen(node.rootfs),
    plugins: node.plugins.map(given),
    root: chosen(node.root),
    kernel_args: node.kernelArgs.map(given),
    kernel_command_line: commandLine(node),
    settings: Object.fromEntries([...node.settings].map(([name, value]) => [name, chosen(value)])),
  }
}
