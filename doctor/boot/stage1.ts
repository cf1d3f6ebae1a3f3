/** Looks into a stage 1 and its kernel. Unpacks with the programs of the machine. */

import { spawn } from 'node:child_process'
import { open, stat } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { CpioReader } from '../../archive/cpio-reader.js'
import { type Compression, compressionOf, insideOf } from '../../archive/format.js'
import type { Member } from '../../archive/members.js'
import { BootswarmError } from '../../src/errors.js'

/** How the part with the files is packed. */
export type Packing = Compression | 'none' | 'unknown'

/** What a stage 1 holds. */
export interface Stage1Facts {
  readonly packing: Packing
  /** What is wrong with the archive. */
  readonly damage: string | undefined
  /** It could not be unpacked here, and why; then nothing below is known. */
  readonly unknown: string | undefined
  readonly hasInit: boolean
  readonly hasAgent: boolean
  /** Lines of etc/bootswarm/manifest.pub. */
  readonly manifestKeys: readonly string[]
  /** Text of etc/bootswarm/ca.pem. */
  readonly ca: string
  /** Kernel versions that it has modules for. */
  readonly moduleVersions: readonly string[]
}

const packedBytesMax = 256 * 1024 * 1024
const unpackedBytesMax = 1024 * 1024 * 1024
const unpackMs = 30_000

/** Files whose text is looked at. */
const texts = { key: 'etc/bootswarm/manifest.pub', ca: 'etc/bootswarm/ca.pem' } as const

/** A cpio, as far as it can be read. */
interface Contents {
  readonly members: readonly Member[]
  /** By name, of {@link texts} only. */
  readonly texts: ReadonlyMap<string, string>
  /** What follows the plain archives. */
  readonly rest: Buffer
  readonly damage: string | undefined
}

const nothing: Contents = { members: [], texts: new Map(), rest: Buffer.alloc(0), damage: undefined }

/** Reads a stage 1. */
export async function readStage1(path: string): Promise<Stage1Facts> {
  const bytes = await readBounded(path, packedBytesMax)
  // Processor microcode comes in a plain archive of its own before the packed one.
  const early = insideOf(bytes) === 'cpio' ? readCpio(bytes) : { ...nothing, rest: bytes }
  const isEarlyOnly = early.members.every(
    ({ name }) => name === '' || name === '.' || name.startsWith('kernel'),
  )
  if (insideOf(bytes) === 'cpio' && (early.rest.length === 0 || !isEarlyOnly)) return factsOf('none', early)
  const packing = compressionOf(early.rest) ?? 'unknown'
  if (packing === 'unknown') {
    return factsOf(packing, { ...nothing, damage: 'neither cpio nor packed in a way that Linux unpacks' })
  }
  const unpacked = await unpack(early.rest, packing)
  if ('unknown' in unpacked) return { ...factsOf(packing, nothing), unknown: unpacked.unknown }
  if ('damage' in unpacked) return factsOf(packing, { ...nothing, damage: unpacked.damage })
  return factsOf(packing, readCpio(unpacked.bytes))
}

/** Reads what is uncompressed of an initramfs. */
function readCpio(bytes: Buffer): Contents {
  const members: Member[] = []
  const found = new Map<string, string>()
  const reader = new CpioReader((member) => {
    const name = member.name.replace(/^(?:\.?\/)+/, '')
    members.push({ ...member, name })
    if (!Object.values<string>(texts).includes(name)) return undefined
    return (content) => found.set(name, content.toString('utf8'))
  })
  let damage: string | undefined
  try {
    reader.push(bytes)
    reader.end()
  } catch (error) {
    if (!(error instanceof BootswarmError)) throw error
    damage = error.message
  }
  return { members, texts: found, rest: bytes.subarray(reader.opaqueAt ?? bytes.length), damage }
}

function factsOf(packing: Packing, { members, texts: found, damage }: Contents): Stage1Facts {
  const versions = members.flatMap(({ name }) => /^(?:usr\/)?lib\/modules\/([^/]+)\//.exec(name)?.[1] ?? [])
  return {
    packing,
    damage,
    unknown: undefined,
    hasInit: members.some(
      ({ name, kind, mode }) => name === 'init' && (kind === 'link' || (mode & 0o111) !== 0),
    ),
    hasAgent: members.some(({ name }) => /(^|\/)bootswarm-agent$/.test(name)),
    manifestKeys: (found.get(texts.key) ?? '')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== ''),
    ca: found.get(texts.ca) ?? '',
    moduleVersions: [...new Set(versions)],
  }
}

/** The version that a kernel for x86 says of itself (Linux: boot.rst, kernel_version); undefined if it does not. */
export async function kernelVersion(path: string): Promise<string | undefined> {
  const setupBytesMax = 64 * 1024
  const bytes = await readBounded(path, packedBytesMax, setupBytesMax)
  if (bytes.length < 0x210 || bytes.toString('latin1', 0x202, 0x206) !== 'HdrS') return undefined
  const at = bytes.readUInt16LE(0x20e) + 0x200
  return /^[\x21-\x7e]+/.exec(bytes.toString('latin1', at, at + 128))?.[0]
}

async function readBounded(path: string, sizeMax: number, wanted = sizeMax): Promise<Buffer> {
  const { size } = await stat(path)
  if (size > sizeMax) throw new Error(`${path} is larger than ${sizeMax} bytes`)
  const file = await open(path)
  try {
    const bytes = Buffer.alloc(Math.min(size, wanted))
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
    return bytes.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

type Unpacked = { readonly bytes: Buffer } | { readonly damage: string } | { readonly unknown: string }

/** What opens each of the ways of packing that Linux knows (`xz` opens lzma, `lz4` its old frame). */
const programs: Partial<Record<Compression, readonly [program: string, debianPackage: string]>> = {
  xz: ['xz', 'xz-utils'],
  lzma: ['xz', 'xz-utils'],
  zstd: ['zstd', 'zstd'],
  'lz4-legacy': ['lz4', 'lz4'],
  bzip2: ['bzip2', 'bzip2'],
  lzop: ['lzop', 'lzop'],
}

async function unpack(bytes: Buffer, packing: Compression): Promise<Unpacked> {
  if (packing === 'gzip') {
    try {
      return { bytes: gunzipSync(bytes, { maxOutputLength: unpackedBytesMax }) }
    } catch (error) {
      return { damage: (error as Error).message }
    }
  }
  const program = programs[packing]
  if (program === undefined) return { damage: `Linux does not unpack ${packing}` }
  return pipe(...program, bytes)
}

function pipe(program: string, debianPackage: string, bytes: Buffer): Promise<Unpacked> {
  return new Promise((resolve) => {
    const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'], timeout: unpackMs })
    const parts: Buffer[] = []
    let length = 0
    let said = ''
    child.stdout.on('data', (part: Buffer) => {
      length += part.length
      if (length > unpackedBytesMax) child.kill('SIGKILL')
      else parts.push(part)
    })
    child.stderr.on('data', (part: Buffer) => {
      said = (said + part.toString('latin1')).slice(0, 200)
    })
    child.on('error', () =>
      resolve({ unknown: `needs ${program} (sudo apt-get install -y ${debianPackage})` }),
    )
    child.on('close', (code) => {
      if (code === 0) return resolve({ bytes: Buffer.concat(parts) })
      resolve({ damage: said.replace(/[^\x20-\x7e]+/g, ' ').trim() || `${program} ended with ${code}` })
    })
    // A program that ends early, at damage, no longer reads.
    child.stdin.on('error', () => {})
    child.stdin.end(bytes)
  })
}
