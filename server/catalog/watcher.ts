/**
 * Notices that something happened in the catalog directories: by inotify, and by the clock, since inotify sees
 * nothing that another machine does on a network file system. Says "look", and which names to distrust, never what to see.
 */
import { type FSWatcher, watch } from 'node:fs'
import { basename, join } from 'node:path'
import { artifactDirs } from '../../src/artifact-dirs.js'

/** Changes come in bursts; one look for all of them, milliseconds. */
const debounceMs = 200

/** Names (`plugins/x`) that the system says were touched, each with the time at which we were told. */
export type Touched = ReadonlyMap<string, number>

/** Watches `artifacts/` and its three directories. */
export class CatalogWatcher {
  readonly #paths: readonly string[]
  readonly #onChange: (touched: Touched) => void
  readonly #onWarning: (message: string) => void
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #nowMs: () => number
  #touched = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #warned = false

  constructor(
    artifactsDir: string,
    nowMs: () => number,
    onChange: (touched: Touched) => void,
    onWarning: (message: string) => void,
  ) {
    this.#nowMs = nowMs
    this.#paths = [artifactsDir, ...Object.values(artifactDirs).map((dir) => join(artifactsDir, dir))]
    this.#onChange = onChange
    this.#onWarning = onWarning
  }

  /** Watches what is not watched yet: directories come and go. Cheap; called at every look. */
  refresh(): void {
    for (const path of this.#paths) if (!this.#watchers.has(path)) this.#watch(path)
  }

  /** Ends all watching. */
  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  #watch(path: string): void {
    let watcher: FSWatcher
    try {
      watcher = watch(path, { persistent: false })
    } catch (error) {
      this.#failed(path, error)
      return
    }
    this.#watchers.set(path, watcher)
    watcher.on('change', (type, name) => {
      const file = name === null ? '' : String(name)
      // The directory itself was moved or removed: what is watched is not what has the name now.
      if (type === 'rename') for (const other of this.#paths) if (file === basename(other)) this.#drop(other)
      this.#changed(`${basename(path)}/${file}`)
    })
    watcher.on('error', (error) => {
      this.#drop(path)
      this.#failed(path, error)
    })
  }

  #drop(path: string): void {
    this.#watchers.get(path)?.close()
    this.#watchers.delete(path)
  }

  #failed(path: string, error: unknown): void {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (missing || this.#warned) return
    this.#warned = true
    const reason = error instanceof Error ? error.message : String(error)
    this.#onWarning(`${path} cannot be watched (${reason}): changes are found by looking every few seconds`)
  }

  #changed(name: string): void {
    this.#touched.set(name, this.#nowMs())
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const touched = this.#touched
      this.#touched = new Map()
      this.#onChange(touched)
    }, debounceMs)
  }
}
