/** Unix sockets by paths of any length: the kernel's own bound is short. */
import { closeSync, constants, openSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** `sun_path` with its final zero, bytes (unix(7)). */
const pathBytesMax = 107

/** Runs something with a path that is short enough and leads to the same socket; it is good for that time only. */
export function withSocketPath<T>(path: string, run: (path: string) => T): T {
  if (Buffer.byteLength(path) <= pathBytesMax) return run(path)
  const directory = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    return run(join('/proc/self/fd', String(directory), basename(path)))
  } finally {
    closeSync(directory)
  }
}
