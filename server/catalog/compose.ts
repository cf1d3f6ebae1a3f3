/**
 * Decides what the next version consists of, from what is known of each file. Pure.
 */
import { MANIFEST_ARTIFACTS_MAX } from '../../src/limits.js'
import { compareVersions } from '../../src/version-order.js'
import { isFit } from './acceptance.js'
import { type CatalogKind, compareNames } from './names.js'
import type { CatalogProblem } from './scan.js'
import { fileKey } from './settler.js'
import type { CatalogArtifact } from './versions.js'

/** What is known of one name in the directories. */
export type FileOutcome =
  | { readonly kind: 'ready'; readonly artifact: CatalogArtifact }
  /** Being written or read: nothing is published until it is done. */
  | { readonly kind: 'pending' }
  /** Not usable; the last good content stays, if there is one and `keepsLast`. What is `refused` is not good. */
  | { readonly kind: 'bad'; readonly keepsLast: boolean; readonly refusedSha256?: string }
  /** A root file system that was not read, because one behind it by name is usable. */
  | { readonly kind: 'surplus' }

/** The names of one directory with their outcomes. */
export interface NamedOutcome {
  readonly kind: CatalogKind
  readonly name: string
  readonly outcome: FileOutcome
}

/** The decision: wait, or these artifacts in unpack order, and what to tell the operator. */
export interface Composition {
  readonly pending: boolean
  /** Not to be published: no manifest can hold it. */
  readonly refused: boolean
  readonly artifacts: readonly CatalogArtifact[]
  readonly problems: readonly CatalogProblem[]
}

/**
 * Puts a version together. Of several root file systems the newest usable one by the version in its name is taken:
 * dropping `base-10.tar.gz` beside `base-9.tar.gz` is an update, and a broken `base-10` leaves `base-9` in place.
 */
export function compose(outcomes: readonly NamedOutcome[], last: readonly CatalogArtifact[]): Composition {
  const lastByKey = new Map(last.map((artifact) => [fileKey(artifact), artifact]))
  const usable: CatalogArtifact[] = []
  const surplus: string[] = []
  let pending = false
  for (const { kind, name, outcome } of outcomes) {
    if (outcome.kind === 'pending') pending = true
    else if (outcome.kind === 'ready') usable.push(outcome.artifact)
    else if (outcome.kind === 'surplus') surplus.push(name)
    else if (outcome.keepsLast) {
      const kept = lastByKey.get(fileKey({ kind, name }))
      // A server with other rules may have published what cannot be used.
      const isGood = kept !== undefined && isFit(kind, kept.format) && kept.sha256 !== outcome.refusedSha256
      if (isGood) usable.push(kept)
    }
  }
  const of = (kind: CatalogKind, compare = compareNames) =>
    usable.filter((artifact) => artifact.kind === kind).sort((a, b) => compare(a.name, b.name))
  const rootfs = of('rootfs', compareVersions)
  const chosen = rootfs.pop()
  surplus.push(...rootfs.map((artifact) => artifact.name))
  const problems = surplus.map((name): CatalogProblem => {
    const message = `not used: there is more than one root file system, and ${chosen?.name} is the newest by its name; remove the one that is not wanted`
    return { code: 'ROOTFS_SURPLUS', kind: 'rootfs', name, message, keepsLast: false }
  })
  const forAgent = [...(chosen === undefined ? [] : [chosen]), ...of('plugin')]
  const tooMuch = exceedsManifest(forAgent)
  if (tooMuch !== undefined) problems.push({ ...tooMuch, kind: 'plugin', name: '', keepsLast: true })
  return { pending, artifacts: [...forAgent, ...of('boot')], refused: tooMuch !== undefined, problems }
}

/** A manifest that no agent would read must not become a version. */
function exceedsManifest(
  artifacts: readonly CatalogArtifact[],
): { code: 'MANIFEST_LIMIT'; message: string } | undefined {
  if (artifacts.length <= MANIFEST_ARTIFACTS_MAX) return undefined
  const message = `${artifacts.length} artifacts, at most ${MANIFEST_ARTIFACTS_MAX} go into one version: nothing new is published until there are fewer`
  return { code: 'MANIFEST_LIMIT', message }
}

/** Whether two lists give a node the same: the times of the files do not count. */
export function sameArtifacts(a: readonly CatalogArtifact[], b: readonly CatalogArtifact[]): boolean {
  if (a.length !== b.length) return false
  return a.every((artifact, index) => {
    const other = b[index]
    return (
      other !== undefined &&
      artifact.kind === other.kind &&
      artifact.name === other.name &&
      artifact.sha256 === other.sha256 &&
      artifact.format === other.format &&
      artifact.torrent?.infohash === other.torrent?.infohash
    )
  })
}
