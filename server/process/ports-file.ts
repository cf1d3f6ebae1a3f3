/**
 * `run/ports.json` in the data directory: the ports of the running server, for scripts and tests, since a
 * configured port may be 0.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Ports as they are listened on; 0 for what does not run. */
export interface Ports {
  readonly http: number
  readonly https: number
  readonly seeder: number
  readonly dht: number
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
