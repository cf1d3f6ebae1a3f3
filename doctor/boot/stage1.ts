/** Looks into a stage 1 and its kernel. Unpacks with the programs of the machine. */

import { spawn } from 'node:child_process'
import { open, stat } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { type Member, type Packing, packingOf, readPlain } from '../../archive/cpio-scan.js'

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

/** Reads a stage 1. */
export async function readStage1(path: string): Promise<Stage1Facts> {
  const bytes = await readBounded(path, packedBytesMax)
  const first = packingOf(bytes)
  // Processor microcode comes in a plain archive of its own before the packed one.
  const early = first === 'none' ? readPlain(bytes) : { members: [], rest: bytes }
  const isEarlyOnly = early.members.every(
    ({ name }) => name === '' || name === '.' || name.startsWith('kernel'),
  )
  if (first === 'none' && (early.rest.length === 0 || !isEarlyOnly)) {
    return factsOf('none', early.members, early.damage)
  }
  const packing = packingOf(early.rest)
  const unpacked = await unpack(early.rest, packing)
  if ('unknown' in unpacked) return { ...factsOf(packing, [], undefined), unknown: unpacked.unknown }
  if ('damage' in unpacked) return factsOf(packing, [], unpacked.damage)
  const { members, damage } = readPlain(unpacked.bytes)
  return factsOf(packing, members, damage)
}

function factsOf(packing: Packing, members: readonly Member[], damage: string | undefined): Stage1Facts {
  const text = (name: string) => members.find((member) => member.name === name)?.data.toString('utf8') ?? ''
  const versions = members.flatMap(({ name }) => /^(?:usr\/)?lib\/modules\/([^/]+)\//.exec(name)?.[1] ?? [])
  return {
    packing,
    damage,
    unknown: undefined,
    hasInit: members.some(
      ({ name, mode }) => name === 'init' && ((mode & 0o111) !== 0 || (mode & 0o170000) === 0o120000),
    ),
    hasAgent: members.some(({ name }) => /(^|\/)bootswarm-agent$/.test(name)),
    manifestKeys: text('etc/bootswarm/manifest.pub')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== ''),
    ca: text('etc/bootswarm/ca.pem'),
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

async function unpack(bytes: Buffer, packing: Packing): Promise<Unpacked> {
  if (packing === 'gzip') {
    try {
      return { bytes: gunzipSync(bytes, { maxOutputLength: unpackedBytesMax }) }
    } catch (error) {
      return { damage: (error as Error).message }
    }
  }
  if (packing === 'unknown') return { damage: 'neither cpio nor packed in a way that Linux unpacks' }
  const programs: Record<Exclude<Packing, 'gzip' | 'unknown' | 'none'>, readonly [string, string]> = {
    xz: ['xz', 'xz-utils'],
    zstd: ['zstd', 'zstd'],
    lz4: ['lz4', 'lz4'],
    lzma: ['xz', 'xz-utils'],
    bzip2: ['bzip2', 'bzip2'],
  }
  const [program, debianPackage] = packing === 'none' ? ['cat', 'coreutils'] : programs[packing]
  return pipe(program, debianPackage, bytes)
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
