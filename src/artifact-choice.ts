/** Which artifacts the configuration names, for a node and in all. Pure. */

import type { DesiredState } from './node-values.js'
import { defaultProfile, withBases } from './profiles.js'

/** Which artifacts of a version a node boots, by names and patterns of the configuration (server/catalog/choice.ts). */
export interface ArtifactChoice {
  /** Undefined: the one for every node. */
  readonly rootfs: string | undefined
  /** None: all. */
  readonly plugins: readonly string[]
}

/** A name or pattern, and who asks for it: `profile gpu`. */
export interface WantedName {
  readonly pattern: string
  readonly by: string
}

/** All that profiles and nodes name. */
export interface WantedArtifacts {
  readonly roots: readonly WantedName[]
  /** The root file system that the profile of every node names; undefined: none is named for every node. */
  readonly rootForAll: string | undefined
  /** Without those that are left out. */
  readonly plugins: readonly WantedName[]
}

/** Reads them from a configuration. */
export function wantedArtifacts({
  profiles,
  nodes,
}: Pick<DesiredState, 'profiles' | 'nodes'>): WantedArtifacts {
  const sources = [
    ...Object.entries(profiles).map(([name, says]) => ({ by: `profile ${name}`, says })),
    ...nodes.map((says) => ({ by: `node ${says.match}`, says })),
  ]
  const forAll = Object.hasOwn(profiles, defaultProfile) ? withBases(defaultProfile, profiles) : []
  return {
    roots: sources.flatMap(({ by, says }) =>
      says.rootfs === undefined ? [] : [{ pattern: says.rootfs, by }],
    ),
    rootForAll: forAll.map((name) => profiles[name]?.rootfs).findLast((rootfs) => rootfs !== undefined),
    plugins: sources.flatMap(({ by, says }) =>
      (says.plugins ?? []).filter((name) => !name.startsWith('!')).map((pattern) => ({ pattern, by })),
    ),
  }
}
