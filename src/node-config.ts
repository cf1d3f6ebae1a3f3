/** What the running server gives to each node, from the configuration, and remembers: it is asked again and again. */

import type { ArtifactChoice } from './artifact-choice.js'
import type { PowerConfig } from './config-power.js'
import type { MachineFacts } from './inventory.js'
import { NODES_MAX } from './limits.js'
import type { NodeSettings } from './manifest.js'
import type { NextBoot } from './next-boot.js'
import type { DesiredState, ResolvedNode } from './node-values.js'
import { makeRackTree, type RackTree } from './rack-tree.js'
import type { RackOf, RelayIdsOf } from './racks.js'
import { type AskedNode, makeNodeResolver, type ReadyGroup } from './resolve-node.js'

/** What one node gets. */
export interface NodeConfig {
  readonly hostname: string
  readonly rack: string
  readonly settings: NodeSettings
  /** Words for the kernel command line; empty: none. */
  readonly kernelArgs: string
  readonly artifacts: ArtifactChoice
  /** How it is switched off and on; undefined: nobody said. */
  readonly power: PowerConfig | undefined
  /** The configuration names this node. */
  readonly isNamed: boolean
}

/** Answers for every node; made once from the configuration. */
export interface NodeConfigs {
  /** What a node at an address gets; `arch` is iPXE's name of its architecture, `machine` what it is, where they are known. */
  readonly of: (nodeId: string, address: string, arch?: string, machine?: MachineFacts) => NodeConfig
  /** The same for a boot in which it gets something once. */
  readonly once: (node: AskedNode, once: NextBoot) => NodeConfig
  /** The same with where each value comes from, and the groups that the node may be in, by what is not known of it. */
  readonly explain: (node: AskedNode) => {
    readonly node: ResolvedNode
    readonly isNamed: boolean
    readonly openGroups: readonly string[]
  }
  /** The rack alone, also for peers without a known identity. */
  readonly rackOf: RackOf
  readonly rackTree: RackTree
}

/**
 * Prepares the answers. The configuration must be without mistakes.
 *
 * @throws BootswarmError CONFIG_INVALID for a wrong hostlist
 */
export function makeNodeConfigs(config: DesiredState, relayIdsOf: RelayIdsOf = () => []): NodeConfigs {
  const resolver = makeNodeResolver(config, relayIdsOf)
  const known = new Map<string, { readonly by: MachineFacts | undefined; readonly config: NodeConfig }>()
  // Nodes that nothing names differ by their profiles alone: however many are made up, they share what these give.
  const kinds = new Map<string, NodeKind>()
  const make = (node: AskedNode): NodeConfig => {
    const resolved = resolver.resolve(node)
    const { hostname, rack, profiles } = resolved
    const isNamed = resolver.isNamed(node.id)
    const kind = isNamed ? kindOf(resolved) : remembered(kinds, profiles.join(' '), () => kindOf(resolved))
    return { ...kind, hostname: hostname.value, rack: rack.value, isNamed }
  }
  return {
    rackOf: resolver.rackOf,
    rackTree: makeRackTree(config.racks),
    once: (asked, once) => {
      const node = resolver.resolve(asked, once)
      const { hostname, rack } = node
      const isNamed = resolver.isNamed(asked.id)
      return { ...kindOf(node), hostname: hostname.value, rack: rack.value, isNamed }
    },
    explain: (asked) => {
      const node = resolver.resolve(asked)
      const isPlaceOpen = asked.address === '' || asked.arch === undefined
      const isMachineOpen = asked.machine === undefined
      const isOpen = ({ match }: ReadyGroup) =>
        (match.isByPlace && isPlaceOpen) || (match.isByMachine && isMachineOpen)
      const openGroups = resolver.groups.flatMap((group) =>
        isOpen(group) && !node.groups.includes(group.name) ? [group.name] : [],
      )
      return { node, openGroups, isNamed: resolver.isNamed(asked.id) }
    },
    of: (id, address, arch, machine) => {
      // All that a value can depend on.
      const by = resolver.isByMachine ? machine : undefined
      const key = [id, address, arch ?? '', ...relayIdsOf(id)].join('\n')
      if (known.get(key)?.by !== by) known.delete(key)
      return remembered(known, key, () => ({ by, config: make({ id, address, arch, machine }) })).config
    },
  }
}

/** What many nodes have in common. */
type NodeKind = Pick<NodeConfig, 'settings' | 'kernelArgs' | 'artifacts' | 'power'>

function kindOf(node: ResolvedNode): NodeKind {
  return {
    settings: Object.fromEntries([...node.settings].map(([name, { value }]) => [name, value])),
    kernelArgs: commandLine(node),
    power: node.power?.value,
    artifacts: { rootfs: node.rootfs?.value, plugins: node.plugins.map(({ value }) => value) },
  }
}

/** Made once, as long as it is not the oldest of too many. */
function remembered<T>(values: Map<string, T>, key: string, make: () => T): T {
  const before = values.get(key)
  if (before !== undefined) return before
  const oldest = values.keys().next().value
  if (values.size >= NODES_MAX && oldest !== undefined) values.delete(oldest)
  const made = make()
  values.set(key, made)
  return made
}

/** Words for the kernel command line. Stage 1 is told where the root goes, unless it goes there anyway. */
export function commandLine({ root, kernelArgs }: Pick<ResolvedNode, 'root' | 'kernelArgs'>): string {
  const words = root.value === 'tmpfs' ? [] : [`bootswarm.root=${root.value}`]
  return [...words, ...kernelArgs.map(({ value }) => value)].join(' ')
}
