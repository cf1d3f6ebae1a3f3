/**
 * The directory that holds the published files by their SHA-256. Files in it never change; the database says
 * which belong there.
 */
import { constants } from 'node:fs'
import { access, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BootswarmError } from '../../src/errors.js'
import { temporaryPrefix } from './ingest-job.js'
import { errnoOf } from './scan.js'

const sha256Name = /^[0-9a-f]{64}$/

/** The files by their SHA-256. */
export class StoreDir {
  readonly dir: string

  constructor(dataDir: string) {
    this.dir = join(dataDir, 'store')
  }

  /**
   * Makes the directory and clears away what a killed server left half done.
   *
   * @throws BootswarmError DATA_DIR_UNUSABLE
   */
  async open(): Promise<void> {
    try {
      await mkdir(this.dir, { recursive: true, mode: 0o700 })
      await access(this.dir, constants.R_OK | constants.W_OK | constants.X_OK)
      for (const name of await readdir(this.dir)) {
        if (name.startsWith(temporaryPrefix)) await rm(join(this.dir, name), { force: true, recursive: true })
      }
    } catch (cause) {
      const message = `${this.dir} cannot be used (${errnoOf(cause)}): it must be a directory that the server may write to`
      throw new BootswarmError('DATA_DIR_UNUSABLE', message, { cause })
    }
  }

  /** Where the file of this SHA-256 lies. */
  path(sha256: string): string {
    return join(this.dir, sha256)
  }

  /** Whether the file is there with its whole size. What is in it was hashed before it got its name. */
  async has(sha256: string, sizeBytes: number): Promise<boolean> {
    try {
      const stats = await stat(this.path(sha256))
      return stats.isFile() && stats.size === sizeBytes
    } catch {
      return false
    }
  }

  /** Removes all files but these; gives the number removed. */
  async keepOnly(sha256s: ReadonlySet<string>): Promise<number> {
    let removed = 0
    for (const name of await readdir(this.dir)) {
      if (!sha256Name.test(name) || sha256s.has(name)) continue
      await rm(this.path(name), { force: true })
      removed += 1
    }
    return removed
  }
}
