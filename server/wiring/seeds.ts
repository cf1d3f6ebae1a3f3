/** How long booted nodes shall seed: put together from nodes, catalog and boots in progress. */
import type { NodeConfig } from '../../src/node-config.js'
import { SeedAnswers } from '../api/seed-answers.js'
import type { Catalog } from '../catalog/catalog.js'
import type { BootAdmission } from '../netboot/admission.js'
import type { NodeRegistry } from '../nodes/registry.js'
import type { Common } from './parts.js'

/** What it is told from. */
export interface SeedParts {
  readonly registry: NodeRegistry
  readonly catalog: Catalog
  readonly admission: BootAdmission
  /** What the configuration gives to a node. */
  readonly describe: (id: string, address: string) => NodeConfig
}

/** Puts the answers together. */
export function makeSeeds(
  { config, log, nowMs }: Common,
  { registry, catalog, admission, describe }: SeedParts,
): SeedAnswers {
  const { calm_s: calmS, keep_per_rack: keepPerRack, keep_min: keepMin } = config.seeding
  return new SeedAnswers({
    rules: { calmS, keepPerRack, keepMin },
    registry,
    catalog,
    choiceOf: ({ id, address }) => describe(id, address).artifacts,
    arriving: () => {
      const { loading, waiting } = admission.stats()
      return loading.length + waiting
    },
    nowMs,
    log,
  })
}
