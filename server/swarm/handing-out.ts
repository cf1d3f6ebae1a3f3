/** Whether the seeder is handing out pieces, told from its counters alone: it is another process. No I/O, no clock. */
import type { SeedTorrentStats } from './types.js'

/** Its counters are half a second old, and a piece over a slow link takes longer than that. */
const restMs = 3_000

/** Watches the counters; ask as often as you like. */
export class HandingOut {
  #count = 0
  #movedMs = Number.NEGATIVE_INFINITY

  /** True when a piece has been handed out since the last call, or within 3 s before this one. */
  look(torrents: readonly Pick<SeedTorrentStats, 'handouts' | 'rescues'>[], nowMs: number): boolean {
    const count = torrents.reduce((sum, torrent) => sum + torrent.handouts + torrent.rescues, 0)
    if (count !== this.#count) {
      this.#count = count
      this.#movedMs = nowMs
    }
    return nowMs - this.#movedMs < restMs
  }
}
