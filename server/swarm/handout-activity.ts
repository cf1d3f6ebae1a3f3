/** Decides from the seeder's counters whether it is handing out pieces: the seeder is another process. No I/O, no clock. */
import type { SeedTorrentStats } from './seeder-stats.js'

/**
 * A seeder that has sent nothing for this long is not handing out, even if agents lack pieces. Not shorter: on a full
 * slow link a piece takes seconds.
 */
const restMs = 10_000

/** Compares each call's counters with those of the call before. */
export class HandoutActivity {
  #uploadedBytes = 0
  #movedMs = Number.NEGATIVE_INFINITY

  /** True while agents wait for pieces that no agent has, and bytes have gone out to them within 10 s before this call. */
  isHandingOut(
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
