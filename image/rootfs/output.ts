/** The file that a run makes: written beside its place under a name that the catalog ignores, then renamed. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { judgeName } from '../../server/catalog/names.js'
import { BootswarmError } from '../../src/errors.js'
import { compareVersions } from '../../src/version-order.js'

/** Where the archive shall be. */
export interface Output {
  /** Its final path. */
  readonly file: string
  /** Where it is written until it is whole. */
  readonly partial: string
}

/**
 * Chooses the path.
 *
 * @param ending - `.tar.zst`, added to `name`
 * @throws {BootswarmError} USAGE_INVALID for a name that the catalog does not take
 */
export function chooseOutput(
  out: string | undefined,
  artifactsDir: string,
  name: string,
  ending: string,
): Output {
  const isFile = out !== undefined && !out.endsWith('/') && !(existsSync(out) && statSync(out).isDirectory())
  const file = isFile ? resolve(out) : resolve(out ?? join(artifactsDir, 'rootfs'), `${name}${ending}`)
  if (isFile && !file.endsWith(ending)) {
    throw new BootswarmError('USAGE_INVALID', `--out ${out}: the name of this format ends in ${ending}`)
  }
  const verdict = judgeName(basename(file))
  if (verdict.kind !== 'artifact') {
    const why =
      verdict.kind === 'invalid'
        ? verdict.reason
        : `by its name it is ${verdict.what}: the server passes over it`
    throw new BootswarmError('USAGE_INVALID', `${basename(file)}: ${why}`)
  }
  return { file, partial: join(dirname(file), `.${basename(file)}.${process.pid}.part`) }
}

/** Makes the directory. @throws {BootswarmError} IMAGE_FAILED */
export function openOutput({ partial }: Output): number {
  try {
    mkdirSync(dirname(partial), { recursive: true })
    return openSync(partial, 'wx', 0o644)
  } catch (error) {
    throw failed(`cannot write ${dirname(partial)}: ${(error as Error).message}`)
  }
}

/** Puts the whole file in its place, for good. */
export function finishOutput({ partial, file }: Output): void {
  const fd = openSync(partial, 'r')
  fsyncSync(fd)
  closeSync(fd)
  renameSync(partial, file)
}

/** Leaves nothing behind. */
export function dropOutput({ partial }: Output): void {
  rmSync(partial, { force: true })
}

/** Of several root file systems the server takes the newest by its name: the one that would be taken instead of this. */
export function shadowedBy({ file }: Output): string | undefined {
  const last = readdirSync(dirname(file))
    .filter((name) => judgeName(name).kind === 'artifact')
    .sort(compareVersions)
    .at(-1)
  return last === undefined || last === basename(file) ? undefined : last
}

/** @throws {BootswarmError} IMAGE_FAILED when a directory (or the nearest one above) has less space than that */
export function needSpace(directory: string, bytes: number, what: string): void {
  let existing = resolve(directory)
  while (!existsSync(existing)) existing = dirname(existing)
  const { bavail, bsize } = statfsSync(existing)
  if (bavail * bsize >= bytes) return
  const mb = (value: number) => `${Math.floor(value / 1e6)} MB`
  throw failed(`${existing} has ${mb(bavail * bsize)} left, ${what} takes up to ${mb(bytes)}`)
}

function failed(message: string): BootswarmError {
  return new BootswarmError('IMAGE_FAILED', message)
}
