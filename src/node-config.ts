/** What the running server gives to each node, from the configuration, and remembers: it is asked again and again. */

import type { ArtifactChoice } from './artifact-choice.js'
import { NODES_MAX } from './limits.js'
import type { NodeSettings } from './manifest.js'
import type { RackOf, RelayIdsOf } from './racks.js'
import { type DesiredState, makeNodeResolver, type ResolvedNode } from './resolve-node.js'

/** What one node gets. */
export interface NodeConfig {
  readonly hostname: string
  readonly rack: string
  readonly settings: NodeSettings
  /** Words for the kernel command line; empty: none. */
  readonly kernelArgs: string
  readonly artifacts: ArtifactChoice
  /** The configuration names this node. */
  readonly isNamed: boolean
}

/** Answers for every node; made once from the configuration. */
export interface NodeConfigs {
  /** What a node at an address gets; `arch` is iPXE's name of its architecture, where it is known. */
  readonly of: (nodeId: string, address: string, arch?: string) => NodeConfig
  /** The rack alone, also for peers without a known identity. */
  readonly rackOf: RackOf
}

/**
 * Prepares the answers. The configuration must be without mistakes.
 *
 * @throws BootswarmError CONFIG_INVALID for a wrong hostlist
 */
export function makeNodeConfigs(config: DesiredState, relayIdsOf: RelayIdsOf = () => []): NodeConfigs {
  const resolver = makeNodeResolver(config, relayIdsOf)
  const known = new Map<string, NodeConfig>()
  return {
    rackOf: resolver.rackOf,
    of: (nodeId, address, arch) => {
      // All that a value can depend on.
      const key = [nodeId, address, arch ?? '', ...relayIdsOf(nodeId)].join('\n')
      const before = known.get(key)
      if (before !== undefined) return before
      const oldest = known.keys().next().value
      if (known.size >= NODES_MAX && oldest !== undefined) known.delete(oldest)
      const made = toConfig(resolver.resolve({ id: nodeId, address, arch }), resolver.ids.has(nodeId))
      known.set(key, made)
      return made
    },
  }
}

function toConfig(node: ResolvedNode, isNamed: boolean): NodeConfig {
  return {
    hostname: node.hostname.value,
    rack: node.rack.value,
    settings: Object.fromEntries([...node.settings].map(([name, { value }]) => [name, value])),
    kernelArgs: commandLine(node),
    artifacts: { rootfs: node.rootfs?.value, plugins: node.plugins.map(({ value }) => value) },
    isNamed,
  }
}

/** Words for the kernel command line. Stage 1 is told where the root goes, unless it goes there anyway. */
export function commandLine({ root, kernelArgs }: Pick<ResolvedNode, 'root' | 'kernelArgs'>): string {
  const words = root.value === 'tmpfs' ? [] : [`bootswarm.root=${root.value}`]
  return [...words, ...kernelArgs.map(({ value }) => value)].join(' ')
}
