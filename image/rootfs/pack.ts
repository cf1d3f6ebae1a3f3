/** The programs that pack a tar stream into each format, so that the same bytes in give the same bytes out. No I/O. */
import { availableParallelism } from 'node:os'
import type { Format } from '../rootfs-options.js'

/** A program that reads a tar from standard input. */
export interface Packer {
  readonly program: string
  readonly debianPackage: string
  readonly args: readonly string[]
  /** Whether it writes the file itself (its name is the last argument), else to standard output. */
  readonly writesFile: boolean
}

/**
 * How a format is packed. Dictionaries are 8 MiB at most (docs/catalog.md): no `--long`, no `xz -9`.
 *
 * @param file - where a packer that writes by itself shall write
 * @param epochS - time of the squashfs, seconds since 1970
 */
export function packerOf(format: Format, level: number | undefined, file: string, epochS: number): Packer {
  // The output is the same for any number of threads (xz: with blocks of a fixed size), but another without any.
  const threads = `-T${Math.max(2, availableParallelism())}`
  switch (format) {
    case 'tar.zst':
      return stream('zstd', 'zstd', ['-q', threads, `-${level ?? 19}`, '-c'])
    case 'tar.xz':
      return stream('xz', 'xz-utils', ['-q', threads, '--block-size=24MiB', `-${level ?? 6}`, '-c'])
    case 'tar.gz':
      return stream('gzip', 'gzip', ['-q', '-n', `-${level ?? 9}`, '-c'])
    case 'squashfs': {
      // Not sqfstar: that of Debian 12 does not read a level (squashfs-tools 4.5.1).
      const zstd = ['-comp', 'zstd', '-Xcompression-level', String(level ?? 19), '-b', '256K']
      const fixed = ['-reproducible', '-mkfs-time', String(epochS), '-no-progress', '-quiet', '-noappend']
      return {
        program: 'mksquashfs',
        debianPackage: 'squashfs-tools',
        args: ['-', file, '-tar', ...zstd, ...fixed],
        writesFile: true,
      }
    }
  }
}

function stream(program: string, debianPackage: string, args: readonly string[]): Packer {
  return { program, debianPackage, args, writesFile: false }
}
