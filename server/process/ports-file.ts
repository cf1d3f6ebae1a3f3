/**
 * `run/ports.json` in the data directory: the ports of the running server, for scripts and tests, since a
 * configured port may be 0.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Ports as they are listened on; 0 for what does not run. */
export interface Ports {
  readonly http: number
  readonly https: number
  readonly seeder: number
  readonly dht: number
  readonly operators: number
}

/** Writes the file, whole or not at all; gives a function that takes it away. */
export function writePortsFile(dataDir: string, ports: Ports, pid: number): () => void {
  const dir = join(dataDir, 'run')
  const file = join(dir, 'ports.json')
  mkdirSync(dir, { recursive: true, mode: 0o755 })
  writeFileSync(`${file}.tmp`, `${JSON.stringify({ ...ports, pid })}\n`, { mode: 0o644 })
  renameSync(`${file}.tmp`, file)
  return () => rmSync(file, { force: true })
}

/** Takes away the file of a server that ended without doing so: its process id may be another process's by now. */
export function forgetPorts(dataDir: string): void {
  rmSync(join(dataDir, 'run', 'ports.json'), { force: true })
}

/** The process id in the file; undefined if there is none. Of a server that has crashed it may be another process's by now. */
export function readServerPid(dataDir: string): number | undefined {
  try {
    const { pid } = JSON.parse(readFileSync(join(dataDir, 'run', 'ports.json'), 'utf8')) as { pid?: unknown }
    return typeof pid === 'number' && Number.isInteger(pid) && pid > 1 ? pid : undefined
  } catch {
    return undefined
  }
}
