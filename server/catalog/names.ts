/**
 * Which file names of the catalog directories count. No I/O.
 */
import type { artifactDirs } from '../../src/artifact-dirs.js'
import { ARTIFACT_NAME_BYTES_MAX } from '../../src/limits.js'

/** What an artifact is for. Boot files go to iPXE, the other two to the agent. */
export type CatalogKind = keyof typeof artifactDirs

/** All kinds, in the order in which they are scanned. */
export const catalogKinds: readonly CatalogKind[] = ['rootfs', 'plugin', 'boot']

/**
 * How a name is taken: as an artifact's, as that of a file which is none (what it is instead, and whether it usually
 * goes away by itself), or refused with a reason.
 */
export type NameVerdict =
  | { kind: 'artifact' }
  | { kind: 'passed over'; what: string; isTransient: boolean }
  | { kind: 'invalid'; reason: string }

/** Judges a file name. */
export function judgeName(name: string): NameVerdict {
  const rule = noArtifacts.find(({ test }) => test.test(name))
  if (rule !== undefined)
    return { kind: 'passed over', what: rule.what, isTransient: rule.isTransient ?? false }
  if (Buffer.byteLength(name) > ARTIFACT_NAME_BYTES_MAX) {
    return { kind: 'invalid', reason: `the name is longer than ${ARTIFACT_NAME_BYTES_MAX} bytes` }
  }
  // A name that is no UTF-8 was decoded with the replacement character: it would not be found again.
  if (name.includes('\ufffd')) return { kind: 'invalid', reason: 'the name is not UTF-8' }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name))
    return { kind: 'invalid', reason: 'the name has control characters' }
  if (name.includes('/') || name.includes('\\')) return { kind: 'invalid', reason: 'the name has a slash' }
  return { kind: 'artifact' }
}

/** Orders plugins as Coinboot and the manifest do: by the UTF-8 bytes of their names, not by versions in them. */
export function compareNames(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** What lies beside artifacts in real directories. The first that fits. */
const noArtifacts: readonly { readonly test: RegExp; readonly what: string; readonly isTransient?: true }[] =
  [
    // Also what rsync (`.NAME.XXXXXX`), `bootswarm image` and most editors write until a file is whole.
    { test: /^\./, what: 'a hidden file', isTransient: true },
    // vim tests with the name 4913 whether it may write.
    { test: /^4913$|\.(?:swp|swo|swx)$/i, what: 'an editor’s temporary file', isTransient: true },
    {
      test: /\.(?:tmp|temp|part|partial|filepart|crdownload|download|aria2|lock)$/i,
      what: 'an unfinished copy',
      isTransient: true,
    },
    { test: /~$|^#/, what: 'an editor’s backup' },
    { test: /\.(?:dpkg|ucf)-[a-z-]+$|\.rpm(?:save|new|orig)$/i, what: 'a leftover of a package manager' },
    { test: /\.(?:bak|backup|old|old-dkms|orig|rej|save)$/i, what: 'a leftover of an earlier version' },
    {
      test: /\.(?:md5|sha(?:1|224|256|384|512)|b2|blake3|crc32|cksum)(?:sums?)?$|^(?:md5|sha(?:1|224|256|384|512)|b2|check)sums?(?:\.[a-z]+)*$/i,
      what: 'a checksum',
    },
    { test: /\.(?:sig|sign|asc|gpg|minisig|p7s)$/i, what: 'a signature' },
    { test: /\.(?:torrent|zsync|metalink|meta4)$/i, what: 'a description of a download' },
    { test: /^readme(?:\.md|\.txt)?$/i, what: 'a README' },
    { test: /^(?:lost\+found|desktop\.ini|thumbs\.db)$/i, what: 'a file of the operating system' },
  ]
