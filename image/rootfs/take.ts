/** Takes over a root file system that is there: checked, packed anew only where that is needed, put into its place. */
import { closeSync, copyFileSync, constants as fsConstants } from 'node:fs'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { CpioReader } from '../../archive/cpio-reader.js'
import { TarReader } from '../../archive/tar.js'
import { BootswarmError } from '../../src/errors.js'
import type { TakeOptions } from '../rootfs-options.js'
import { type Given, named } from './examine.js'
import { needTools } from './host.js'
import { type Facts, type Finding, Inspection } from './inspect.js'
import { dropOutput, finishOutput, needSpace, type Output, openOutput } from './output.js'
import { packerOf } from './pack.js'
import { packStream, start } from './pipe.js'
import { listSquashfs } from './squashfs.js'

/** What was taken over. */
export interface Taken {
  readonly output: Output
  readonly facts: Facts
  readonly findings: readonly Finding[]
  /** Why it was packed anew. */
  readonly repacked: string | undefined
}

/**
 * Copies (and packs anew, where examine() said so), checks what came out and puts it into its place.
 *
 * @throws {BootswarmError} IMAGE_FAILED; nothing is left behind
 */
export async function take(
  options: TakeOptions,
  given: Given,
  output: Output,
  signal: AbortSignal,
): Promise<Taken> {
  needSpace(dirname(output.file), given.bytes, 'the archive')
  const fd = openOutput(output)
  try {
    const inspection = new Inspection()
    if (given.inside === 'squashfs') {
      copy(given.file, output.partial)
      await listSquashfs(output.partial, inspection.onMember)
    } else if (given.repack === undefined) {
      // The copy is inspected: no other process writes to it.
      copy(given.file, output.partial)
      await opened(given, output.partial, inspection, signal)
    } else {
      const packer = packerOf(options.format ?? 'tar.zst', options.level, output.partial, 0)
      needTools([{ name: packer.program, debianPackage: packer.debianPackage }])
      await opened(given, given.file, inspection, signal, (stream, look) =>
        packStream(stream, packer, fd, signal, look),
      )
    }
    const findings = settle(inspection, given.file, options.force)
    finishOutput(output)
    return { output, facts: inspection.facts(), findings, repacked: given.repack }
  } finally {
    closeSync(fd)
    dropOutput(output)
  }
}

/** Leads a file, decompressed, through the reader, and through what `pass` does with it. */
async function opened(
  given: Given,
  file: string,
  inspection: Inspection,
  signal: AbortSignal,
  pass: (stream: Readable, look: (part: Buffer) => void) => Promise<void> = lookThrough,
): Promise<void> {
  const reader =
    given.inside === 'tar' ? new TarReader(inspection.onMember) : new CpioReader(inspection.onMember)
  const { program = 'cat', args = [] } = given.opener ?? {}
  const opening = start(program, [...args, file], { stdin: 'ignore', stdout: 'pipe', signal })
  const { stdout } = opening.child
  if (stdout === null) throw new Error('a decompressor without standard output')
  try {
    await pass(stdout, (part) => reader.push(part))
    await opening.done
    reader.end()
  } catch (error) {
    opening.kill()
    throw named(given.file, error)
  }
}

async function lookThrough(stream: Readable, look: (part: Buffer) => void): Promise<void> {
  for await (const part of stream) look(part as Buffer)
}

/**
 * The findings, if the root may be published.
 *
 * @param force - also without an init
 * @throws {BootswarmError} IMAGE_FAILED if agents would refuse it, or nodes stop after unpacking it
 */
export function settle(inspection: Inspection, what: string, force: boolean): readonly Finding[] {
  const findings = inspection.findings()
  const bad = findings.filter(({ weight }) => weight === 'refused' || (weight === 'unbootable' && !force))
  if (bad.length === 0) return findings
  const hint = bad.every(({ weight }) => weight === 'unbootable') ? ' (--force takes it all the same)' : ''
  throw new BootswarmError('IMAGE_FAILED', `${what}: ${bad.map(({ text }) => text).join('; ')}${hint}`)
}

/** Sharing the blocks where the file system can. */
function copy(from: string, to: string): void {
  copyFileSync(from, to, fsConstants.COPYFILE_FICLONE)
}
