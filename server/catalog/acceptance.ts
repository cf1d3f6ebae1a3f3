/**
 * Decides from a file's first bytes whether it can be what its directory says. What every node would refuse is not
 * published. Pure.
 */
import { dictionaryOf, dictionaryRefusal } from '../../archive/dictionary.js'
import { compressionOf, detectFormat, isForAgents } from '../../archive/format.js'
import { squashfsDamage } from '../../archive/squashfs.js'
import type { ErrorCode } from '../../src/errors.js'
import type { ArtifactFormat } from '../../src/manifest-types.js'
import type { CatalogKind } from './names.js'

/** A file as far as it has been read. */
export interface Beginning {
  readonly kind: CatalogKind
  readonly name: string
  readonly sizeBytes: number
  /** Up to `headBytes`. */
  readonly head: Uint8Array
}

/** What it is (undefined: that shows when it is opened), or why it is not taken. */
export type Acceptance =
  | { readonly ok: true; readonly format: ArtifactFormat | undefined }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string }

/** Judges a file by its beginning. Boot files are iPXE's and taken as they are. */
export function accept({ kind, name, sizeBytes, head }: Beginning): Acceptance {
  const format = detectFormat(head, name)
  if (kind === 'boot') return { ok: true, format }
  const compression = compressionOf(head)
  const isUnknown = format === 'raw' && (compression === 'xz' || compression === 'zstd')
  if (!isUnknown && !isFit(kind, format)) {
    return { ok: false, code: 'ARTIFACT_FORMAT_INVALID', message: `${whatItIs(head)}: ${advice[kind]}` }
  }
  if (format === 'squashfs') {
    const damage = squashfsDamage(head, sizeBytes)
    if (damage === undefined) return { ok: true, format }
    return { ok: false, code: 'ARTIFACT_FORMAT_INVALID', message: `${damage}: copy it again` }
  }
  const refusal = dictionaryRefusal(dictionaryOf(head))
  if (refusal !== undefined) return { ok: false, code: 'ARTIFACT_DICTIONARY_LIMIT', message: refusal }
  return { ok: true, format: isUnknown ? undefined : format }
}

/** Whether something of this format can be published as this kind. */
export function isFit(kind: CatalogKind, format: ArtifactFormat): boolean {
  if (kind === 'boot' || format === 'tar' || format === 'cpio') return true
  return kind === 'rootfs' && format === 'squashfs'
}

/** What to do about a format that does not fit. */
export const advice = {
  rootfs:
    'a root file system is a tar or cpio (plain or in gzip, xz, zstd) or a squashfs; pack it again, or move it out of the catalog',
  plugin:
    'a plugin is a tar or cpio (plain or in gzip, xz, zstd); pack it again, or move it out of the catalog',
} as const

function whatItIs(head: Uint8Array): string {
  const compression = compressionOf(head)
  if (compression === undefined) return 'it is no archive that nodes unpack'
  if (!isForAgents(compression)) return `it is compressed with ${compression}, which nodes do not unpack`
  return `what is inside the ${compression} is no archive that nodes unpack`
}
