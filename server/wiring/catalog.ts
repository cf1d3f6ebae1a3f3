/** The catalog, with its records in the store. */
import { Catalog } from '../catalog/catalog.js'
import { catalogRecords } from '../catalog/records.js'
import type { NodeRegistry } from '../nodes/registry.js'
import type { Store } from '../store/store.js'
import type { Common } from './parts.js'

/** Reads nothing before its `start`. A version stays as long as a node of the registry boots it. */
export function makeCatalog({ config, log, nowMs }: Common, store: Store, registry: NodeRegistry): Catalog {
  return new Catalog({
    artifactsDir: config.artifacts_dir,
    dataDir: config.data_dir,
    store: catalogRecords(store),
    log: log.child({ part: 'catalog' }),
    versionsKeep: config.versions.keep,
    isBooting: (version) => registry.isBootingVersion(version),
    nowMs,
  })
}
