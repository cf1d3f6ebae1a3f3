/** A small disk for the server's data directory alone: a tmpfs in a mount namespace, which goes away with the server. */
import { appendFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * A command that ends by executing its arguments, on a machine whose `data` is a disk of so many bytes with a copy of
 * `known` on it.
 */
export function insideMachine(data: string, known: string, bytes: number): string[] {
  const script = 'mount -t tmpfs -o size="$1" siege "$2" && cp -a "$3"/. "$2" && shift 3 && exec "$@"'
  return ['unshare', '--mount', 'sh', '-c', script, 'sh', String(Math.ceil(bytes)), data, known]
}

/** Bytes of all files below a directory. */
export function treeBytes(directory: string): number {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).reduce(
    (sum, name) => sum + statSync(join(directory, name)).size,
    0,
  )
}

const ballastName = 'ballast'
const ballastBytes = 65_536
const everyMs = 200

/** Fills the disk of the server with this process id, and keeps it full; what comes back ends that. */
export function fillDisk(pid: number, data: string): () => void {
  // The server's own view of its files: nobody else sees that disk.
  const ballast = join(`/proc/${pid}/root`, data, ballastName)
  const fill = () => {
    try {
      for (;;) appendFileSync(ballast, Buffer.alloc(ballastBytes))
    } catch {
      // It is full, or the server has ended.
    }
  }
  fill()
  const timer = setInterval(fill, everyMs)
  return () => {
    clearInterval(timer)
    rmSync(ballast, { force: true })
  }
}
