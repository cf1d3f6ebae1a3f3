/**
 * What nodes boot once. An operator sets it; it waits until a boot takes it, and applies to that boot only, however often its
 * machine asks for its script and its agent for a manifest. It is used up when that boot has completed, or another one begins.
 */
import type { NextBoot } from '../../src/next-boot.js'
import type { Failures } from '../process/failures.js'

/** One of them, as it outlasts the process. */
export interface StoredNextBoot {
  readonly node: string
  readonly nextBoot: NextBoot
  /** When it was set, milliseconds since 1970. */
  readonly setMs: number
  /** The agent's name of the boot that took it; empty: its agent has not asked for a manifest. Null: it waits. */
  readonly boot: string | null
}

/** What they are made of. */
export interface NextBootsOptions {
  readonly stored: readonly StoredNextBoot[]
  /** Resolves when it is on the disk; a boot of null: it is used up. */
  readonly save: (state: Omit<StoredNextBoot, 'nextBoot'>) => Promise<void>
  /** All names of a node: its identity and its machine's MAC. */
  readonly namesOf: (id: string) => readonly string[]
  readonly failures: Pick<Failures, 'failed' | 'worked'>
}

const part = 'noting next boots'

/** See the module. */
export class NextBoots {
  readonly #options: NextBootsOptions
  readonly #entries: Map<string, StoredNextBoot>

  constructor(options: NextBootsOptions) {
    this.#options = options
    this.#entries = new Map(options.stored.map((entry) => [entry.node, entry]))
  }

  /** What waits for a node's next boot; undefined: nothing. */
  waiting(node: string): NextBoot | undefined {
    const entry = this.#find(node)
    return entry?.boot === null ? entry.nextBoot : undefined
  }

  /** An operator has said so, which is on the disk. Undefined: the node boots as always. */
  set(node: string, nextBoot: NextBoot | undefined, setMs: number): void {
    // What was set while it was only a machine, under its MAC, would come before this, or after it.
    for (const name of this.#options.namesOf(node)) {
      const other = this.#entries.get(name)
      if (other !== undefined && name !== node) this.#useUp(other)
    }
    if (nextBoot === undefined) this.#entries.delete(node)
    else this.#entries.set(node, { node, nextBoot, setMs, boot: null })
  }

  /** iPXE has started on a machine: what an earlier boot took is used up. */
  ipxeStarted(mac: string): void {
    const entry = this.#find(mac)
    if (entry !== undefined && entry.boot !== null) this.#useUp(entry)
  }

  /** What a machine that asks for its script boots in place of what it always does; takes nothing. */
  ofScript(mac: string): NextBoot | undefined {
    const entry = this.#find(mac)
    return entry?.boot === null || entry?.boot === '' ? entry.nextBoot : undefined
  }

  /**
   * The same, taken by this boot: resolves when that is on the disk. If it cannot be written it waits on, for a server that starts
   * again would give it twice.
   */
  async take(mac: string): Promise<NextBoot | undefined> {
    const entry = this.#find(mac)
    if (entry === undefined) return undefined
    if (entry.boot === null && !(await this.#save({ ...entry, boot: '' }))) return undefined
    if (entry.boot === null && this.#entries.get(entry.node) === entry)
      this.#entries.set(entry.node, { ...entry, boot: '' })
    return entry.boot === null || entry.boot === '' ? entry.nextBoot : undefined
  }

  /**
   * What a boot gets whose agent asks for a manifest. Where no script came from here, the agent's first question takes it.
   *
   * @param startedMs when this boot was first heard of, milliseconds since 1970: one that ran before it was set takes nothing
   */
  ofManifest(
    node: string,
    boot: string,
    startedMs: number,
  ): { readonly nextBoot: NextBoot; readonly isTaken: boolean } | undefined {
    const entry = this.#find(node)
    if (entry === undefined || boot === '' || entry.nextBoot.from !== 'network') return undefined
    const { nextBoot } = entry
    if (entry.boot === boot) return { nextBoot, isTaken: false }
    const isWaiting = entry.boot === null
    if (isWaiting && startedMs < entry.setMs) return undefined
    if (!isWaiting && entry.boot !== '') {
      this.#useUp(entry)
      return undefined
    }
    const taken = { ...entry, boot }
    this.#entries.set(entry.node, taken)
    void this.#save(taken)
    return { nextBoot, isTaken: isWaiting }
  }

  /** A boot has completed. */
  completed(node: string, boot: string): void {
    const entry = this.#find(node)
    if (entry !== undefined && entry.boot === boot) this.#useUp(entry)
  }

  #find(id: string): StoredNextBoot | undefined {
    // Almost always there is none at all, and every event asks.
    if (this.#entries.size === 0) return undefined
    for (const name of this.#options.namesOf(id)) {
      const entry = this.#entries.get(name)
      if (entry !== undefined) return entry
    }
    return undefined
  }

  #useUp(entry: StoredNextBoot): void {
    this.#entries.delete(entry.node)
    void this.#save({ ...entry, boot: null })
  }

  /** Whether it is on the disk. */
  async #save({ node, setMs, boot }: StoredNextBoot): Promise<boolean> {
    const { save, failures } = this.#options
    try {
      await save({ node, setMs, boot })
      failures.worked(part)
      return true
    } catch (error) {
      failures.failed(part, error)
      return false
    }
  }
}
