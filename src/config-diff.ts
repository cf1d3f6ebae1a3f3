/** What another configuration would change, and for which nodes. Pure. */

import type { Config } from './config.js'
import { type ConfigKey, configKeys } from './config-keys.js'
import { powerText } from './config-power.js'
import { commandLine } from './node-config.js'
import type { ResolvedNode } from './node-values.js'
import { makeRackTree } from './rack-tree.js'
import { makeNodeResolver, type NodeResolver, namedIds } from './resolve-node.js'

/** A value that would be another; undefined: there is none. */
export interface ValueChange {
  /** `rootfs`, `settings.POOL_URL`, `http.port`. */
  readonly name: string
  readonly before: string | undefined
  readonly after: string | undefined
}

/** Nodes for which the same values change. */
export interface NodesChange {
  /** Identities that the configuration names. */
  readonly ids: readonly string[]
  /** Groups whose other nodes, known by their place or architecture, change so too. */
  readonly groups: readonly string[]
  /** Those that nothing names and no group matches. */
  readonly isOthers: boolean
  readonly changes: readonly ValueChange[]
}

/** The whole difference. */
export interface ConfigDiff {
  readonly nodes: readonly NodesChange[]
  /** Groups that would match by something else: which other nodes are in them shows when they boot. */
  readonly regrouped: readonly string[]
  /** What the running server takes over beside that. */
  readonly live: readonly ValueChange[]
  /** What needs a restart of the server. */
  readonly restart: readonly ValueChange[]
}

/** What {@link ConfigDiff.nodes} shows. */
const shownByNodes = ['profiles', 'groups', 'nodes', 'settings', 'netboot.kernel_args', 'netboot.root']
/** Taken over by a running server too. */
const takenOver = ['admit', 'tickets', 'racks', 'log.level']

/** What a node gets, in the order in which it is told; then its settings. */
const valueNames = ['hostname', 'rack', 'rootfs', 'plugins', 'root', 'kernel_args', 'power']
const settingPrefix = 'settings.'

/** Compares two configurations without mistakes. */
export function diffConfigs(before: Config, after: Config): ConfigDiff {
  const changed = changedKeys(before, after)
  return {
    nodes: nodesChanges(makeNodeResolver(before), makeNodeResolver(after)),
    regrouped: regrouped(before, after),
    live: [...changed.filter(({ name }) => takenOver.includes(name)), ...linkChanges(before, after)],
    restart: changesAtRestart(before, after),
  }
}

/** What a server that was started with one configuration takes over of the other when it is started again. */
export function changesAtRestart(before: Config, after: Config): ValueChange[] {
  return changedKeys(before, after).filter(({ name }) => !takenOver.includes(name))
}

/** All values but those that are for nodes. */
function changedKeys(before: Config, after: Config): ValueChange[] {
  return configKeys.flatMap((key) => {
    const [old, next] = [textOf(valueAt(before, key)), textOf(valueAt(after, key))]
    return old === next || shownByNodes.includes(key.name)
      ? []
      : [{ name: key.name, before: old, after: next }]
  })
}

/** Racks whose switches would hang behind others, or at the server. */
function linkChanges(before: Config, after: Config): ValueChange[] {
  const [old, next] = [makeRackTree(before.racks), makeRackTree(after.racks)]
  const names = new Set([...before.racks, ...after.racks].map(({ name }) => name))
  return [...names].flatMap((name) => {
    const [from, to] = [old.behind(name), next.behind(name)]
    return from === to ? [] : [{ name: `racks.${name}.behind`, before: from, after: to }]
  })
}

/** Whether nothing would be different. */
export function isNoChange({ nodes, regrouped, live, restart }: ConfigDiff): boolean {
  return [nodes, regrouped, live, restart].every((list) => list.length === 0)
}

function nodesChanges(before: NodeResolver, after: NodeResolver): NodesChange[] {
  const found = new Map<
    string,
    { ids: string[]; groups: string[]; isOthers: boolean; changes: ValueChange[] }
  >()
  const add = (changes: ValueChange[]) => {
    if (changes.length === 0) return undefined
    const key = JSON.stringify(changes)
    const same = found.get(key) ?? { ids: [], groups: [], isOthers: false, changes }
    found.set(key, same)
    return same
  }
  for (const id of new Set([...namedIds(before), ...namedIds(after)])) {
    const node = { id, address: '', arch: undefined }
    add(compare(valuesOf(before.resolve(node)), valuesOf(after.resolve(node))))?.ids.push(id)
  }
  const nobody = { id: '', address: '', arch: undefined }
  const inGroups = (resolver: NodeResolver, groups: readonly string[]) =>
    kindValuesOf(resolver.resolveIn(nobody, groups))
  for (const name of new Set([...openGroups(before), ...openGroups(after)])) {
    add(compare(inGroups(before, [name]), inGroups(after, [name])))?.groups.push(name)
  }
  const others = add(compare(inGroups(before, []), inGroups(after, [])))
  if (others !== undefined) others.isOthers = true
  return [...found.values()].sort((a, b) => Number(a.isOthers) - Number(b.isOthers))
}

/** Groups that nodes can be in without being named. */
function openGroups({ groups }: NodeResolver): string[] {
  return groups.flatMap(({ name, match }) => (match.isOpen ? [name] : []))
}

/** Groups of both that match by something else. */
function regrouped(before: Config, after: Config): string[] {
  const old = new Map(before.groups.map(({ name, match }) => [name, JSON.stringify(match)]))
  return after.groups.flatMap(({ name, match }) => {
    const text = old.get(name)
    return text === undefined || text === JSON.stringify(match) ? [] : [name]
  })
}

function compare(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): ValueChange[] {
  const settings = [...before.keys(), ...after.keys()].filter((name) => name.startsWith(settingPrefix)).sort()
  return [...new Set([...valueNames, ...settings])]
    .filter((name) => before.get(name) !== after.get(name))
    .map((name) => ({ name, before: before.get(name), after: after.get(name) }))
}

/** All that a node gets, by name. */
function valuesOf(node: ResolvedNode): Map<string, string> {
  return new Map([['hostname', node.hostname.value], ['rack', node.rack.value], ...kindValuesOf(node)])
}

/** The same without what is one node's alone. */
function kindValuesOf(node: ResolvedNode): Map<string, string> {
  const values = new Map<string, string>()
  if (node.rootfs !== undefined) values.set('rootfs', node.rootfs.value)
  if (node.plugins.length > 0) values.set('plugins', node.plugins.map(({ value }) => value).join(' '))
  values.set('root', node.root.value)
  const words = commandLine({ root: { ...node.root, value: 'tmpfs' }, kernelArgs: node.kernelArgs })
  if (words !== '') values.set('kernel_args', words)
  if (node.power !== undefined) values.set('power', powerText(node.power.value))
  for (const [name, { value }] of node.settings) values.set(`${settingPrefix}${name}`, value)
  return values
}

function valueAt(config: Config, { name, path }: ConfigKey): unknown {
  // What they hang behind is told rack by rack.
  if (name === 'racks') return config.racks.map(({ behind: _, ...rack }) => rack)
  return path.reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], config)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
