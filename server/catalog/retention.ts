/**
 * Decides which versions are still served. Pure.
 */
import type { StoredVersion } from './versions.js'

/** What keeps an old version alive. */
export interface RetentionRules {
  /** Old versions that are kept in any case, beside the current one. */
  readonly keep: number
  /** A booting node keeps its version no longer than this after it was superseded, milliseconds. */
  readonly bootingMaxMs: number
}

/** Four hours: a node that boots for longer has failed, whatever it says. */
export const bootingMaxMs = 4 * 60 * 60 * 1000

/**
 * The versions that may go, oldest first. `booting` tells whether a node still boots a version.
 */
export function versionsToDrop(
  versions: readonly StoredVersion[],
  rules: RetentionRules,
  booting: (version: number) => boolean,
  nowMs: number,
): number[] {
  const sorted = [...versions].sort((a, b) => a.version - b.version)
  const keptFrom = sorted.length - 1 - rules.keep
  return sorted
    .filter((stored, index) => {
      if (index >= keptFrom || stored.supersededMs === undefined) return false
      const inTime = nowMs - stored.supersededMs < rules.bootingMaxMs
      return !(inTime && booting(stored.version))
    })
    .map((stored) => stored.version)
}
