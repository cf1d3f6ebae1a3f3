/** Builds stage 1: from its parts to the file that iPXE loads. The same parts give the same bytes. */

import { cpioArchive } from '../archive/cpio-writer.js'
import { type Compression, compress } from './compress.js'
import { type Stage1Parts, stage1Archives } from './stage1-files.js'

/** How it is made. */
export interface Stage1How {
  readonly compression: Compression
  /** `x86_64` */
  readonly processor: string
  /** Where the scripts lie: `image/stage1`. */
  readonly scriptsDir: string
  /** Compressed parts are kept here. */
  readonly cacheDir: string
  /** Modification time of all files, seconds since 1970. */
  readonly timeS: number
}

/** What was made. */
export interface Stage1Built {
  readonly data: Buffer
  /** Compressed size of each archive, bytes. */
  readonly archives: readonly {
    readonly content: string
    readonly rawBytes: number
    readonly bytes: number
  }[]
}

/** Builds it. */
export async function buildStage1(parts: Stage1Parts, how: Stage1How): Promise<Stage1Built> {
  const made = await Promise.all(
    stage1Archives(parts, how.scriptsDir).map(async ({ content, members }) => {
      const raw = cpioArchive(members, how.timeS)
      return {
        content,
        rawBytes: raw.length,
        data: await compress(raw, how.compression, content, how),
      }
    }),
  )
  return {
    data: Buffer.concat(made.map(({ data }) => data)),
    archives: made.map(({ content, rawBytes, data }) => ({ content, rawBytes, bytes: data.length })),
  }
}
