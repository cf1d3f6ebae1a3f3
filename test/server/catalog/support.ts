/** A catalog on a directory of its own, with times that suit tests. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { pino } from 'pino'
import { pack } from 'tar-stream'
import { Catalog, type CatalogOptions } from '../../../server/catalog/catalog.js'
import { catalogRecords } from '../../../server/catalog/records.js'
import { Failures } from '../../../server/process/failures.js'
import { openStore, type Store } from '../../../server/store/store.js'
import { hangMs } from '../../support/limits.js'

/** What the catalog logged. */
export interface LogLine {
  readonly level: string
  readonly event: string
  readonly code?: string
  readonly file?: string
  readonly msg: string
}

/** A directory with artifacts, a store, and any number of catalogs one after the other. */
export class Bench {
  readonly dir = mkdtempSync(join(tmpdir(), 'bootswarm-catalog-'))
  readonly artifacts = join(this.dir, 'artifacts')
  readonly data = join(this.dir, 'data')
  readonly lines: LogLine[] = []
  readonly booting = new Set<number>()
  readonly store: Store
  #catalogs: Catalog[] = []

  constructor() {
    for (const name of ['rootfs', 'plugins', 'boot'])
      mkdirSync(join(this.artifacts, name), { recursive: true })
    mkdirSync(this.data)
    this.store = openStore({ file: join(this.data, 'test.sqlite'), log: this.#log(), nowMs: Date.now() })
  }

  /** Writes a file whole, as `mv` does. */
  put(path: string, bytes: Uint8Array | string): void {
    const target = join(this.artifacts, path)
    writeFileSync(`${target}.tmp`, bytes)
    renameSync(`${target}.tmp`, target)
  }

  path(path: string): string {
    return join(this.artifacts, path)
  }

  /** Starts a catalog. */
  async start(options: Partial<CatalogOptions> = {}): Promise<Catalog> {
    const catalog = new Catalog({
      artifactsDir: this.artifacts,
      dataDir: this.data,
      store: catalogRecords(this.store),
      log: this.#log(),
      failures: new Failures(this.#log(), () => Date.now()),
      versionsKeep: 1,
      wanted: () => ({ roots: [], rootForAll: undefined, plugins: [] }),
      isBooting: (version) => this.booting.has(version),
      nowMs: () => Date.now(),
      settleTimes: { quietMs: 60, oldMs: 10_000_000, growingMs: 600 },
      idleLookMs: 100,
      ...options,
    })
    this.#catalogs.push(catalog)
    await catalog.start()
    return catalog
  }

  async end(): Promise<void> {
    for (const catalog of this.#catalogs) await catalog.stop()
    await this.store.close()
    rmSync(this.dir, { recursive: true, force: true })
  }

  #log() {
    const lines = this.lines
    const options = { base: null, formatters: { level: (level: string) => ({ level }) }, level: 'debug' }
    return pino(options, { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) })
  }
}

/** Waits until something holds. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + hangMs
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`did not come true in ${hangMs} ms: ${what}`)
    await pause(10)
  }
}

/** A tar in gzip with one file of these bytes, and an init, as a root file system has it; the same for the same bytes. */
export async function tarball(name: string, bytes: Uint8Array | string): Promise<Buffer> {
  const tar = pack()
  tar.entry({ name, mtime: new Date(0), uid: 0, gid: 0 }, Buffer.from(bytes))
  tar.entry({ name: 'sbin/init', mode: 0o755, mtime: new Date(0), uid: 0, gid: 0 }, '#!/bin/sh\n')
  tar.finalize()
  const parts: Buffer[] = []
  for await (const part of tar) parts.push(part as Buffer)
  return gzipSync(Buffer.concat(parts))
}
