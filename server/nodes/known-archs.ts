/** The architectures that nodes told since the server started, bounded: those that told it longest ago go first. */

import type { KernelArch } from '../../src/arch.js'
import { NODES_MAX } from '../../src/limits.js'

/** Who has which processor. */
export class KnownArchs {
  readonly #archOf = new Map<string, KernelArch>()

  /** Notes what a node told. */
  note(id: string, arch: KernelArch): void {
    this.#archOf.delete(id)
    this.#archOf.set(id, arch)
    if (this.#archOf.size <= NODES_MAX) return
    for (const oldest of this.#archOf.keys()) {
      this.#archOf.delete(oldest)
      break
    }
  }

  /** Undefined: it has told none. */
  of(id: string): KernelArch | undefined {
    return this.#archOf.get(id)
  }
}
