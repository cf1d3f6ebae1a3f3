/** Whether the seeder is handing out pieces, told from its counters alone: it is another process. No I/O, no clock. */
import type { SeedTorrentStats } from './types.js'

/**
 * A seeder that has given nobody anything for so long is not handing out, whatever is left to do. Not shorter: a slow
 * link that is full keeps a piece for seconds.
 */
const restMs = 10_000

/** Watches the counters; ask as often as you like. */
export class HandingOut {
  #uploadedBytes = 0
  #movedMs = Number.NEGATIVE_INFINITY

  /** True while agents wait for pieces that no agent has, and bytes have gone out to them within 10 s before this call. */
  look(
    torrents: readonly Pick<SeedTorrentStats, 'agents' | 'unheld' | 'uploadedBytes'>[],
    nowMs: number,
  ): boolean {
    const uploadedBytes = torrents.reduce((sum, torrent) => sum + torrent.uploadedBytes, 0)
    if (uploadedBytes !== this.#uploadedBytes) {
      this.#uploadedBytes = uploadedBytes
      this.#movedMs = nowMs
    }
    const isWaiting = torrents.some(({ agents, unheld }) => agents > 0 && unheld > 0)
    return isWaiting && nowMs - this.#movedMs < restMs
  }
}
