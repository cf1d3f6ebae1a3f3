/**
 * Reads the network boot programs into memory, and again when they change: a package may be installed while the server
 * runs. Says which are missing and what installs them.
 */
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isShortage } from '../../src/errors.js'
import { BOOT_PROGRAM_BYTES_MAX } from '../../src/limits.js'
import type { Failures } from '../process/failures.js'
import type { Logger } from '../process/log.js'
import { Recurring } from '../process/recurring.js'
import { bootPrograms, expectedPrograms, installCommand, packagedDirs } from './boot-programs.js'

/** The directories are looked at this often, milliseconds. */
const lookMs = 30_000

/** What was found, by `ARCH/FILE`. */
export type Programs = ReadonlyMap<string, Uint8Array>

/** For `/v1/status`. */
export interface ProgramStats {
  readonly directories: readonly string[]
  readonly present: readonly string[]
  /** Of those that ordinary PCs need. */
  readonly missing: readonly string[]
  /** What installs the missing ones; empty if none is. */
  readonly install: string
}

interface Found {
  readonly stamp: string
  readonly bytes: Uint8Array
}

/** The programs of one server. */
export class ProgramStore {
  readonly #directories: readonly string[]
  readonly #log: Logger
  #onChange: (programs: Programs) => void = () => {}
  #found = new Map<string, Found>()
  #toldMissing: string | undefined
  #isAnnounced = false
  #looking: Recurring | undefined

  /** `directory` empty: where packages put them. */
  constructor(directory: string, log: Logger) {
    this.#directories = directory === '' ? packagedDirs : [directory]
    this.#log = log
  }

  /** Who gets each new set. */
  onChange(listener: (programs: Programs) => void): void {
    this.#onChange = listener
  }

  get programs(): Programs {
    return new Map([...this.#found].map(([name, { bytes }]) => [name, bytes]))
  }

  get(name: string): Uint8Array | undefined {
    return this.#found.get(name)?.bytes
  }

  /** Reads all; goes on looking until {@link stop}. */
  async start(failures: Failures): Promise<void> {
    await this.look()
    const part = 'reading boot programs'
    this.#looking = new Recurring({ part, everyMs: lookMs, run: () => this.look(), failures })
    this.#looking.start()
  }

  /** From now on logs missing programs: machines are told to load them. */
  announce(): void {
    this.#isAnnounced = true
    this.#tell()
  }

  stop(): void {
    this.#looking?.stop()
  }

  stats(): ProgramStats {
    const missing = expectedPrograms.filter((name) => !this.#found.has(name))
    return {
      directories: this.#directories,
      present: [...this.#found.keys()],
      missing,
      install: missing.length === 0 ? '' : this.#howToInstall(),
    }
  }

  /**
   * Reads what has changed.
   *
   * @throws the system's error if it is short of descriptors or memory; all stays as it was
   */
  async look(): Promise<void> {
    const found = new Map<string, Found>()
    for (const { name, sources } of bootPrograms) {
      const program = await this.#find(name, sources)
      if (program !== undefined) found.set(name, program)
    }
    const changed =
      found.size !== this.#found.size ||
      [...found].some(([name, { stamp }]) => this.#found.get(name)?.stamp !== stamp)
    this.#found = found
    if (changed) this.#onChange(this.programs)
    this.#tell()
  }

  async #find(name: string, sources: readonly string[]): Promise<Found | undefined> {
    for (const directory of this.#directories) {
      for (const source of sources) {
        const path = join(directory, source)
        try {
          // Debian's ipxe.efi is a link into /boot: where a link leads is the operator's business, never a client's.
          const facts = await stat(path)
          if (!facts.isFile() || facts.size === 0 || facts.size > BOOT_PROGRAM_BYTES_MAX) continue
          const stamp = `${path} ${facts.size} ${facts.mtimeMs} ${facts.ctimeMs} ${facts.ino}`
          const known = this.#found.get(name)
          return known?.stamp === stamp ? known : { stamp, bytes: await readBounded(path) }
        } catch (error) {
          if (isShortage(error)) throw error
          // Try the next directory; programs missing from all are logged.
        }
      }
    }
    return undefined
  }

  #tell(): void {
    const { missing, install, present } = this.stats()
    const text = missing.join(', ')
    if (!this.#isAnnounced || text === this.#toldMissing) return
    this.#toldMissing = text
    if (text === '') {
      this.#log.info({ event: 'netboot.programs', present }, `Boot programs are there: ${present.join(', ')}`)
      return
    }
    this.#log.warn(
      { event: 'netboot.programs-missing', code: 'BOOT_PROGRAM_MISSING', missing, remedy: install },
      `Boot programs are missing: ${text}; machines of that kind cannot boot. ${install}`,
    )
  }

  #howToInstall(): string {
    if (this.#directories === packagedDirs) return installCommand
    return `put them into ${this.#directories[0]} (netboot.ipxe_dir)`
  }
}

async function readBounded(path: string): Promise<Uint8Array> {
  const file = await open(path)
  try {
    const bytes = Buffer.alloc(BOOT_PROGRAM_BYTES_MAX)
    let filled = 0
    for (;;) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled)
      if (bytesRead === 0) return Uint8Array.from(bytes.subarray(0, filled))
      filled += bytesRead
    }
  } finally {
    await file.close()
  }
}
