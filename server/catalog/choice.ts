/**
 * Which files of the catalog a node boots: the configuration names them, with `*` for anything. Pure.
 */
import type { ArtifactChoice, WantedArtifacts } from '../../src/artifact-choice.js'
import { compareVersions } from '../../src/version-order.js'
import { matchesName } from '../../src/wildcard.js'
import { compareNames } from './names.js'
import type { CatalogArtifact, CatalogVersion } from './versions.js'

/**
 * Of the root file systems those that nodes boot: the one for every node first, then the newest by its name of each that
 * is named. Unless the profile of every node names it, the one for every node is the newest of those that nobody names;
 * of all if there are none.
 */
export function chooseRoots<File extends { readonly name: string }>(
  files: readonly File[],
  { roots, rootForAll }: WantedArtifacts,
): File[] {
  const sorted = [...files].sort((a, b) => compareVersions(b.name, a.name))
  const newestOf = (pattern: string) => sorted.find(({ name }) => matchesName(pattern, name))
  const isNamed = (name: string) => roots.some(({ pattern }) => matchesName(pattern, name))
  const forAll =
    rootForAll === undefined ? (sorted.find(({ name }) => !isNamed(name)) ?? sorted[0]) : newestOf(rootForAll)
  const named = roots.flatMap(({ pattern }) => newestOf(pattern) ?? [])
  named.sort((a, b) => compareNames(a.name, b.name))
  return [...new Set([...(forAll === undefined ? [] : [forAll]), ...named])]
}

/** Whether a plugin is among those that are named: the last that fits decides, and `!` before a name leaves it out. */
export function isChosenPlugin(name: string, patterns: readonly string[]): boolean {
  // A list that begins with leaving out leaves out of all.
  const isFirst = patterns.length === 0 || patterns[0]?.startsWith('!') === true
  const last = patterns.findLast((pattern) => matchesName(pattern.replace(/^!/, ''), name))
  return last === undefined ? isFirst : !last.startsWith('!')
}

/**
 * The artifacts of a version that a node boots, in the order in which it unpacks them; undefined if the version has no
 * such root file system.
 */
export function chooseArtifacts(
  { artifacts }: CatalogVersion,
  { rootfs, plugins }: ArtifactChoice,
): readonly CatalogArtifact[] | undefined {
  const roots = artifacts.filter(({ kind }) => kind === 'rootfs')
  // The first is the one for every node.
  const root = rootfs === undefined ? roots[0] : newest(roots.filter(({ name }) => matchesName(rootfs, name)))
  if (root === undefined) return undefined
  return [root, ...artifacts.filter(({ kind, name }) => kind === 'plugin' && isChosenPlugin(name, plugins))]
}

function newest(files: readonly CatalogArtifact[]): CatalogArtifact | undefined {
  return [...files].sort((a, b) => compareVersions(b.name, a.name))[0]
}
