/** A difference of two configurations as lines and as JSON. Pure. */

import { type ConfigDiff, isNoChange, type NodesChange, type ValueChange } from '../../src/config-diff.js'
import { foldHostlist } from '../../src/hostlist.js'

/** What nodes get where nothing is said. */
const withoutValue: Readonly<Record<string, string>> = {
  rootfs: 'the newest that no profile names',
  plugins: 'all',
}

/** Lines for a terminal. */
export function diffLines(diff: ConfigDiff): string[] {
  if (isNoChange(diff)) return ['Nothing changes.']
  const sections = [
    ...diff.nodes.map((change) => [titleOf(change), ...change.changes.map(changeLine)]),
    ...(diff.regrouped.length === 0
      ? []
      : [
          [
            'which nodes are in a group',
            ...diff.regrouped.map((name) => `  ${name} matches by something else: it shows when they boot`),
          ],
        ]),
    ...section('the server, at once', diff.live),
    ...section('the server, when it is started again', diff.restart),
  ]
  return sections.flatMap((lines, n) => (n === 0 ? lines : ['', ...lines]))
}

function titleOf({ ids, groups, isOthers }: NodesChange): string {
  const named =
    ids.length === 0 ? [] : [`${foldHostlist(ids)} (${ids.length} node${ids.length === 1 ? '' : 's'})`]
  const open = groups.map((name) => `nodes of group ${name}`)
  return [...named, ...open, ...(isOthers ? ['all other nodes'] : [])].join(', ')
}

function section(title: string, changes: readonly ValueChange[]): string[][] {
  return changes.length === 0 ? [] : [[title, ...changes.map(changeLine)]]
}

function changeLine({ name, before, after }: ValueChange): string {
  const none = withoutValue[name] ?? 'none'
  return `  ${name.padEnd(20)} ${before ?? none} -> ${after ?? none}`
}

/** The same for programs. */
export function diffJson({ nodes, regrouped, live, restart }: ConfigDiff): object {
  const values = (changes: readonly ValueChange[]) =>
    changes.map(({ name, before = null, after = null }) => ({ name, before, after }))
  return {
    nodes: nodes.map(({ ids, groups, isOthers, changes }) => ({
      hostlist: foldHostlist(ids),
      ids,
      groups,
      others: isOthers,
      changes: values(changes),
    })),
    regrouped,
    live: values(live),
    restart: values(restart),
  }
}
