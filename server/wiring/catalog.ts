/** The catalog, with its records in the store. */
import { agentPath } from '../../host/agent-binary.js'
import { wantedArtifacts } from '../../src/artifact-choice.js'
import type { Config } from '../../src/config.js'
import { Catalog } from '../catalog/catalog.js'
import { Checker } from '../catalog/checker.js'
import { catalogRecords } from '../catalog/records.js'
import type { NodeRegistry } from '../nodes/registry.js'
import type { Store } from '../store/store.js'
import type { Common } from './parts.js'

/**
 * Reads nothing before its `start`. A version stays as long as a node of the registry boots it. `current` is the
 * configuration as it was last read.
 */
export function makeCatalog(
  { config, failures, log, nowMs }: Common,
  store: Store,
  registry: NodeRegistry,
  current: () => Config,
): Catalog {
  return new Catalog({
    artifactsDir: config.artifacts_dir,
    dataDir: config.data_dir,
    store: catalogRecords(store),
    failures,
    log: log.child({ part: 'catalog' }),
    versionsKeep: config.versions.keep,
    wanted: () => wantedArtifacts(current()),
    isBooting: (version) => registry.isBootingVersion(version),
    nowMs,
    checker: new Checker({ agent: agentPath(), inits: () => initsOf(current()) }),
  })
}

/** Programs that kernel command lines name instead of the usual ones. */
function initsOf({ netboot, profiles, nodes }: Config): string[] {
  const own = [...Object.values(profiles), ...nodes]
  const lines = [netboot.kernel_args, ...own.map(({ kernel_args: args }) => args ?? '')]
  return [...new Set(lines.flatMap((line) => /(?:^| )init=(\S+)/.exec(line)?.[1] ?? []))]
}
