/** What the configuration gives to one node: host name, rack and settings. */

import type { Config } from './config.js'
import type { NetbootConfig } from './config-netboot.js'
import { BootswarmError } from './errors.js'
import { expandHostlist } from './hostlist.js'
import { SETTINGS_MAX } from './limits.js'
import type { NodeSettings } from './manifest.js'
import { defaultHostname } from './node-id.js'
import { makeRackOf, type RackOf, type RelayIdsOf } from './racks.js'

/** What one node gets. */
export interface NodeConfig {
  readonly hostname: string
  readonly rack: string
  readonly settings: NodeSettings
  /** Words for the kernel command line; empty: none. */
  readonly kernelArgs: string
  /** The configuration names this node. */
  readonly isNamed: boolean
}

/** Answers for every node; made once from the configuration. */
export interface NodeConfigs {
  /** Host name, rack and settings of a node at an address. */
  readonly of: (nodeId: string, address: string) => NodeConfig
  /** The rack alone, also for peers without a known identity. */
  readonly rackOf: RackOf
}

/**
 * Prepares the answers. The configuration must have been parsed by its schema.
 *
 * @throws BootswarmError CONFIG_INVALID for a node with too many settings
 */
export function makeNodeConfigs(
  config: Pick<Config, 'nodes' | 'racks' | 'settings'> & {
    readonly netboot?: Pick<NetbootConfig, 'kernel_args' | 'root'>
  },
  relayIdsOf?: RelayIdsOf,
): NodeConfigs {
  const entries = new Map<
    string,
    {
      hostname?: string
      rack?: string
      kernelArgs?: string
      root?: NetbootConfig['root']
      settings: Record<string, string>
    }
  >()
  for (const entry of config.nodes) {
    for (const id of expandHostlist(entry.match)) {
      const before = entries.get(id)
      entries.set(id, {
        ...before,
        ...(entry.hostname === undefined ? {} : { hostname: entry.hostname }),
        ...(entry.rack === undefined ? {} : { rack: entry.rack }),
        ...(entry.kernel_args === undefined ? {} : { kernelArgs: entry.kernel_args }),
        ...(entry.root === undefined ? {} : { root: entry.root }),
        settings: { ...before?.settings, ...entry.settings },
      })
    }
  }
  for (const [id, entry] of entries) {
    const count = Object.keys({ ...config.settings, ...entry.settings }).length
    if (count > SETTINGS_MAX) {
      throw new BootswarmError(
        'CONFIG_INVALID',
        `${id} has ${count} settings, at most ${SETTINGS_MAX} are possible`,
      )
    }
  }
  const byRule = makeRackOf(config.racks, relayIdsOf)
  const rackOf: RackOf = (nodeId, address) =>
    (nodeId === undefined ? undefined : entries.get(nodeId)?.rack) ?? byRule(nodeId, address)
  return {
    rackOf,
    of: (nodeId, address) => {
      const entry = entries.get(nodeId)
      return {
        hostname: entry?.hostname ?? defaultHostname(nodeId),
        rack: rackOf(nodeId, address),
        settings: { ...config.settings, ...entry?.settings },
        isNamed: entry !== undefined,
        kernelArgs: [
          rootWord(entry?.root ?? config.netboot?.root),
          config.netboot?.kernel_args,
          entry?.kernelArgs,
        ]
          .filter(Boolean)
          .join(' '),
      }
    },
  }
}

/** What tells stage 1 where to put the root; nothing where it does so anyway. */
function rootWord(root: NetbootConfig['root'] | undefined): string {
  return root === undefined || root === 'tmpfs' ? '' : `bootswarm.root=${root}`
}
