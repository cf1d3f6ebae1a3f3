/** Replaces a file whole: whoever reads it meanwhile, or after a crash, sees the old one or the new one. */

import {
  chownSync,
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { BootswarmError } from '../../src/errors.js'

/** Of a file that is made new: a configuration is no secret. */
const newMode = 0o644

/**
 * Mode and owner stay; a link stays one, and what it leads to is replaced.
 *
 * @throws BootswarmError CONFIG_NOT_WRITTEN
 */
export function replaceFile(path: string, text: string): void {
  const { target, old } = whatIsThere(path)
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`)
  try {
    const file = openSync(temporary, 'wx', 0o600)
    try {
      writeFileSync(file, text)
      if (old !== undefined) chownIfOther(temporary, old)
      fchmodSync(file, old === undefined ? newMode : old.mode & 0o7777)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, target)
    const directory = openSync(dirname(target), 'r')
    fsyncSync(directory)
    closeSync(directory)
  } catch (cause) {
    rmSync(temporary, { force: true })
    throw new BootswarmError('CONFIG_NOT_WRITTEN', `${path} cannot be written: ${(cause as Error).message}`, {
      cause,
    })
  }
}

function whatIsThere(path: string) {
  try {
    const target = realpathSync(path)
    return { target, old: statSync(target) }
  } catch {
    return { target: path, old: undefined }
  }
}

/** Only root may give files away; where nothing is to be given nobody has to. */
function chownIfOther(path: string, { uid, gid }: { readonly uid: number; readonly gid: number }): void {
  const own = statSync(path)
  if (own.uid !== uid || own.gid !== gid) chownSync(path, uid, gid)
}
