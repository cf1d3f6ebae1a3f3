/**
 * Which file names of the catalog directories count. No I/O.
 */

/** The three directories of `artifacts/` and what lies in them. */
export const artifactDirs = { rootfs: 'rootfs', plugin: 'plugins', boot: 'boot' } as const

/** What an artifact is for. Boot files go to iPXE, the other two to the agent. */
export type CatalogKind = keyof typeof artifactDirs

/** All kinds, in the order in which they are scanned. */
export const catalogKinds: readonly CatalogKind[] = ['rootfs', 'plugin', 'boot']

/** Longest artifact name, bytes (docs/manifest.md). */
const nameBytesMax = 128

/** How a name is taken: as an artifact, silently left out, or refused with a reason. */
export type NameVerdict = { kind: 'artifact' } | { kind: 'ignored' } | { kind: 'invalid'; reason: string }

/**
 * Judges a file name. Left out without a word: hidden files, what editors, copy tools and package managers
 * leave beside the real file while they work, and the README of a directory.
 */
export function judgeName(name: string): NameVerdict {
  if (isTemporary(name)) return { kind: 'ignored' }
  if (Buffer.byteLength(name) > nameBytesMax) {
    return { kind: 'invalid', reason: `the name is longer than ${nameBytesMax} bytes` }
  }
  // A name that is no UTF-8 was decoded with the replacement character: it would not be found again.
  if (name.includes('\ufffd')) return { kind: 'invalid', reason: 'the name is not UTF-8' }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name))
    return { kind: 'invalid', reason: 'the name has control characters' }
  if (name.includes('/') || name.includes('\\')) return { kind: 'invalid', reason: 'the name has a slash' }
  return { kind: 'artifact' }
}

/** Orders names as the manifest does: by their UTF-8 bytes. */
export function compareNames(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** Makes a name printable for a log line. */
export function printableName(name: string): string {
  const quoted = JSON.stringify(name).slice(1, -1)
  return quoted.length > 160 ? `${quoted.slice(0, 157)}...` : quoted
}

function isTemporary(name: string): boolean {
  return (
    name.startsWith('.') ||
    name.startsWith('#') ||
    name.endsWith('~') ||
    /\.(tmp|temp|part|partial|filepart|crdownload|swp|swo|swx|bak|orig|lock|dpkg-new|dpkg-old|dpkg-tmp|aria2)$/i.test(
      name,
    ) ||
    /^readme(\.md|\.txt)?$/i.test(name) ||
    name === 'lost+found' ||
    name === '4913' // vim tests with this name whether it may write
  )
}
