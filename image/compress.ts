/** Compression of stage 1, in formats that the kernel unpacks. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { run } from './run-program.js'

/** A compression of stage 1. */
export type Compression = 'xz' | 'zstd'

/** What is in a part of stage 1: for the machine code of programs xz has a filter. */
export type Content = 'programs' | 'modules' | 'trust'

/**
 * Compresses one part of stage 1, or finds it in the cache. One thread and fixed settings: the same bytes in, the same
 * bytes out.
 */
export async function compress(
  data: Uint8Array,
  how: Compression,
  content: Content,
  { processor, cacheDir }: { readonly processor: string; readonly cacheDir: string },
): Promise<Buffer> {
  const args = argsOf(how, content, processor)
  const key = createHash('sha256')
    .update(JSON.stringify([how, args]))
    .update(data)
    .digest('hex')
  const dir = join(cacheDir, 'parts')
  const file = join(dir, key)
  if (existsSync(file)) return readFileSync(file)
  const packed = await run(how, args, { input: data })
  mkdirSync(dir, { recursive: true })
  writeFileSync(`${file}.${process.pid}.new`, packed)
  renameSync(`${file}.${process.pid}.new`, file)
  return packed
}

function argsOf(how: Compression, content: Content, processor: string): string[] {
  // Above level 19 the kernel would need more memory for the window than small nodes like to give.
  if (how === 'zstd') return ['-19', '--single-thread', '--no-progress', '--stdout', '-']
  // Modules are not linked yet: their calls hold no addresses that the filter could make alike.
  const filter = content === 'programs' && processor === 'x86_64' ? ['--x86'] : []
  // The kernel knows no other check than CRC32.
  return ['--format=xz', '--check=crc32', '--threads=1', ...filter, '--lzma2=preset=9e,dict=8MiB', '--stdout']
}

/** What a file held before it was compressed, by the end of its name: kernels may ship compressed modules. */
export async function decompressed(name: string, data: Buffer): Promise<Buffer> {
  if (name.endsWith('.xz')) return run('xz', ['--decompress', '--stdout'], { input: data })
  if (name.endsWith('.zst')) return run('zstd', ['--decompress', '--stdout'], { input: data })
  return name.endsWith('.gz') ? gunzipSync(data) : data
}
