/** Directories that are made once and then used by any number of runs at the same time. */
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'

/**
 * Fills a directory that is not there yet: beside it, renamed when it is whole. Of two runs that make the same one the
 * first wins, and the other uses it.
 */
export async function makeOnce(dir: string, fill: (fresh: string) => Promise<void>): Promise<void> {
  if (existsSync(dir)) return
  const fresh = mkdtempSync(`${dir}.new-`)
  try {
    await fill(fresh)
    renameOnce(fresh, dir)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/** Renames a directory, unless another run has put one there. */
export function renameOnce(fresh: string, dir: string): void {
  try {
    renameSync(fresh, dir)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
