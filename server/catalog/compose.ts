/**
 * Decides what the next version consists of, from what is known of each file. Pure.
 */
import type { WantedArtifacts } from '../../src/artifact-choice.js'
import { MANIFEST_ARTIFACTS_MAX } from '../../src/limits.js'
import { matchesName } from '../../src/wildcard.js'
import { isFit } from './acceptance.js'
import { chooseRoots } from './choice.js'
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
  /** A root file system that was not read, because no node boots it: a newer one is usable. */
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
 * dropping `base-10.tar.gz` beside `base-9.tar.gz` is an update, and a broken `base-10` leaves `base-9` in place. Those
 * that profiles name are in it too.
 */
export function compose(
  outcomes: readonly NamedOutcome[],
  last: readonly CatalogArtifact[],
  wanted: WantedArtifacts,
): Composition {
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
  const of = (kind: CatalogKind) => usable.filter((artifact) => artifact.kind === kind)
  const byName = (kind: CatalogKind) => of(kind).sort((a, b) => compareNames(a.name, b.name))
  const roots = chooseRoots(of('rootfs'), wanted)
  const plugins = byName('plugin')
  for (const root of of('rootfs')) if (!roots.includes(root)) surplus.push(root.name)
  const problems = [
    ...surplus.map((name) => surplusProblem(name, roots, wanted)),
    ...missingProblems(roots, plugins, wanted),
  ]
  const tooMuch = exceedsManifest(plugins.length + Math.min(roots.length, 1))
  if (tooMuch !== undefined) problems.push({ ...tooMuch, kind: 'plugin', name: '', keepsLast: true })
  const artifacts = [...roots, ...plugins, ...byName('boot')]
  return { pending, artifacts, refused: tooMuch !== undefined, problems }
}

function surplusProblem(
  name: string,
  [chosen]: readonly CatalogArtifact[],
  { roots, rootForAll }: WantedArtifacts,
): CatalogProblem {
  const newest = `${chosen?.name} is the newest by its name; remove the one that is not wanted`
  const reason =
    roots.length === 0
      ? `there is more than one root file system, and ${newest}`
      : rootForAll === undefined
        ? `no profile names it, and of the others ${newest}`
        : 'profiles name others, or a newer one'
  return { code: 'ROOTFS_SURPLUS', kind: 'rootfs', name, message: `not used: ${reason}`, keepsLast: false }
}

/** What is named and not there. */
function missingProblems(
  roots: readonly CatalogArtifact[],
  plugins: readonly CatalogArtifact[],
  wanted: WantedArtifacts,
): CatalogProblem[] {
  const missing = (files: readonly CatalogArtifact[], names: WantedArtifacts['roots']) =>
    names.filter(({ pattern }) => !files.some(({ name }) => matchesName(pattern, name)))
  const code = 'PROFILE_ARTIFACT_MISSING'
  return [
    ...missing(roots, wanted.roots).map(({ pattern, by }): CatalogProblem => {
      const message = `${by} names it, and there is no such root file system: its nodes wait until you put one in`
      return { code, kind: 'rootfs', name: pattern, message, keepsLast: false }
    }),
    ...missing(plugins, wanted.plugins).map(({ pattern, by }): CatalogProblem => {
      const message = `${by} names it, and there is no such plugin: its nodes boot without it`
      return { code, kind: 'plugin', name: pattern, message, keepsLast: false }
    }),
  ]
}

/** A manifest that no agent would read must not become a version. */
function exceedsManifest(count: number): { code: 'MANIFEST_LIMIT'; message: string } | undefined {
  if (count <= MANIFEST_ARTIFACTS_MAX) return undefined
  const message = `${count} artifacts, at most ${MANIFEST_ARTIFACTS_MAX} go into one version: nothing new is published until there are fewer`
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
