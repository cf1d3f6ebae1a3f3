/** Says which kernels and stage 1 of the catalog no machine gets, once for each change. */
import { displayPath } from '../catalog/scan.js'
import type { LiveVersions } from '../catalog/versions.js'
import { unusedBootFiles } from '../netboot/boot-files.js'
import type { Logger } from '../process/log.js'

/** A listener for the catalog's versions. */
export function bootFilesLog(log: Pick<Logger, 'info'>): (live: LiveVersions) => void {
  let told = new Set<string>()
  return (live) => {
    const lines = new Map(
      unusedBootFiles(live.current?.artifacts.filter(({ kind }) => kind === 'boot') ?? []).map(
        ({ file, reason }) => [`${file.name} ${reason}`, { file: displayPath(file), reason }],
      ),
    )
    for (const [key, { file, reason }] of lines) {
      if (told.has(key)) continue
      log.info({ event: 'netboot.file-unused', file, reason }, `${file} is not booted: ${reason}`)
    }
    told = new Set(lines.keys())
  }
}
