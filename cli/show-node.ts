/** What a node gets, and which line gives it, for a terminal. Pure. */

import type { ShownChoice, ShownNode, ShownValue } from '../src/shown-node.js'

/** Name, value, who gives it, where. */
type Row = readonly [name: string, value: string, by: string, place: string]

/** Its groups and profiles, then a line for each value and for those that it is stronger than. */
export function shownLines(node: ShownNode): string[] {
  const { rack, rootfs, power } = node
  const rows = [
    ...chosen('hostname', node.hostname),
    rowOf('rack', rack),
    ...(rack.behind.length === 0 ? [] : ([['', `behind ${rack.behind.join(', ')}`, '', '']] as Row[])),
    ...(rootfs === null
      ? ([['rootfs', 'the newest that no profile names', '', '']] as Row[])
      : chosen('rootfs', rootfs)),
    ...list('plugins', node.plugins, 'all'),
    ...chosen('root', node.root),
    ...(power === null ? [] : chosen('power', power)),
    ...list('kernel_args', node.kernel_args, 'none'),
    ...Object.entries(node.settings).flatMap(([name, value]) => chosen(`settings.${name}`, value)),
  ]
  return [
    `groups: ${node.groups.join(', ') || 'none'}`,
    `profiles: ${node.profiles.join(', ') || 'none'}`,
    '',
    ...aligned(rows),
  ]
}

function chosen(name: string, value: ShownChoice): Row[] {
  return [
    rowOf(name, value),
    ...value.over.map((weaker) => rowOf('', { ...weaker, value: `over ${weaker.value}` })),
  ]
}

function list(name: string, given: readonly ShownValue[], none: string): Row[] {
  return given.length === 0
    ? [[name, none, '', '']]
    : given.map((value, n) => rowOf(n === 0 ? name : '', value))
}

/** What follows from the node itself has no place; what nobody gave is a default. */
function rowOf(name: string, { value, by, place }: ShownValue): Row {
  return [name, value, by, by === '' ? '' : place || 'default']
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
