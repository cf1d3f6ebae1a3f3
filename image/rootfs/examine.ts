/** Tells what a given root file system is from its beginning, and whether it can stay as it is. */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { dictionaryOf } from '../../archive/dictionary.js'
import { type Compression, compressionOf, headBytes, insideOf, isForAgents } from '../../archive/format.js'
import { squashfsDamage } from '../../archive/squashfs.js'
import { BootswarmError } from '../../src/errors.js'
import { UNPACK_DICTIONARY_BYTES_MAX } from '../../src/limits.js'
import type { Format, TakeOptions } from '../rootfs-options.js'
import { needTools } from './host.js'
import { chooseOutput, type Output } from './output.js'
import { start } from './pipe.js'

/** What a file is, told from its beginning. */
export interface Given {
  readonly file: string
  readonly bytes: number
  readonly inside: 'tar' | 'cpio' | 'squashfs'
  /** The program that opens it; undefined: it is not compressed. */
  readonly opener: (Opener & { readonly compression: Compression; readonly ending: string }) | undefined
  /** Why it cannot stay as it is; undefined: it can. */
  readonly repack: string | undefined
}

/** A program that decompresses a file to its standard output. */
export interface Opener {
  readonly program: string
  readonly debianPackage: string
  readonly args: readonly string[]
}

/** What opens each compression; what agents do not read is packed anew. */
const openers: Partial<Record<Compression, Opener & { readonly ending: string }>> = {
  gzip: { ...opener('gzip', 'gzip'), ending: 'gz' },
  xz: { ...opener('xz', 'xz-utils'), ending: 'xz' },
  zstd: { ...opener('zstd', 'zstd', '--long=31'), ending: 'zst' },
  bzip2: { ...opener('bzip2', 'bzip2'), ending: 'bz2' },
  lz4: { ...opener('lz4', 'lz4'), ending: 'lz4' },
  'lz4-legacy': { ...opener('lz4', 'lz4'), ending: 'lz4' },
  lzma: { ...opener('xz', 'xz-utils'), ending: 'lzma' },
  lzip: { ...opener('lzip', 'lzip'), ending: 'lz' },
}

/**
 * Looks at the beginning of a file.
 *
 * @throws {BootswarmError} IMAGE_FAILED if it is none that can be taken over
 */
export async function examine(file: string, format: Format | undefined, signal: AbortSignal): Promise<Given> {
  if (!existsSync(file) || !statSync(file).isFile()) throw failed(`${file} is not a file`)
  const head = headOf(file)
  const bytes = statSync(file).size
  const compression = compressionOf(head)
  const how = compression === undefined ? undefined : openers[compression]
  if (how !== undefined) needTools([{ name: how.program, debianPackage: how.debianPackage }])
  const opened = how === undefined ? head : await headOfOpened(file, how, signal)
  const inside = insideOf(opened)
  if (inside === undefined || (inside === 'squashfs' && how !== undefined)) {
    throw failed(`${file} is neither a tar, a cpio nor a squashfs`)
  }
  const damage = inside === 'squashfs' ? squashfsDamage(head, bytes) : undefined
  if (damage !== undefined) throw failed(`${file}: ${damage}`)
  const opens = how === undefined || compression === undefined ? undefined : { ...how, compression }
  return { file, bytes, inside, opener: opens, repack: whyRepack(inside, opens, head, format) }
}

function whyRepack(
  inside: Given['inside'],
  how: Given['opener'],
  head: Buffer,
  format: Format | undefined,
): string | undefined {
  if (inside === 'squashfs') {
    if (format === undefined || format === 'squashfs') return undefined
    throw new BootswarmError('USAGE_INVALID', 'a squashfs is taken over as it is: leave --format out')
  }
  if (inside === 'cpio' && format === 'squashfs') {
    throw new BootswarmError('USAGE_INVALID', 'a cpio does not become a squashfs: leave --format out')
  }
  if (how === undefined) return 'it is not compressed'
  if (!isForAgents(how.compression)) return `agents do not read ${how.program}`
  const dictionary = dictionaryOf(head)
  if (dictionary !== undefined && dictionary.bytes > UNPACK_DICTIONARY_BYTES_MAX) {
    return `its dictionary of ${Math.ceil(dictionary.bytes / 2 ** 20)} MiB would lie in each node's memory`
  }
  return format === undefined || format.endsWith(how.ending) ? undefined : `--format ${format}`
}

/** Where a file that is taken over goes: its name stays, with the ending that tells what it is. */
export function outputFor(options: TakeOptions, given: Given, artifactsDir: string): Output {
  const { inside, repack: anew } = given
  const plain = basename(given.file).replace(
    /(\.(tar|cpio|img|squashfs|sqfs|sfs))?(\.(gz|xz|zst|zstd|bz2|lz4|lz|tgz|txz|tzst|tbz2?))?$/i,
    '',
  )
  const name = options.name ?? (plain === '' ? 'root' : plain)
  const compression =
    anew === undefined ? given.opener?.ending : (options.format ?? 'tar.zst').replace('tar.', '')
  const ending =
    inside === 'squashfs' || compression === 'squashfs' ? '.squashfs' : `.${inside}.${compression}`
  return chooseOutput(options.out, artifactsDir, name, ending)
}

function headOf(file: string): Buffer {
  const fd = openSync(file, 'r')
  try {
    const head = Buffer.alloc(headBytes)
    return head.subarray(0, readSync(fd, head, 0, headBytes, 0))
  } finally {
    closeSync(fd)
  }
}

async function headOfOpened(file: string, how: Opener, signal: AbortSignal): Promise<Buffer> {
  const opening = start(how.program, [...how.args, file], { stdin: 'ignore', stdout: 'pipe', signal })
  let head = Buffer.alloc(0)
  for await (const part of opening.child.stdout ?? []) {
    head = Buffer.concat([head, part as Buffer])
    if (head.length >= headBytes) {
      opening.kill()
      return head
    }
  }
  await opening.done.catch((error: BootswarmError) => {
    throw named(file, error)
  })
  return head
}

function opener(program: string, debianPackage: string, ...more: string[]): Opener {
  return { program, debianPackage, args: ['-q', '-dc', ...more] }
}

/** An error with the file's name in front. */
export function named(file: string, error: unknown): unknown {
  if (!(error instanceof BootswarmError) || error.message.startsWith(file)) return error
  return new BootswarmError(error.code, `${file}: ${error.message}`, { cause: error })
}

function failed(message: string): BootswarmError {
  return new BootswarmError('IMAGE_FAILED', message)
}
