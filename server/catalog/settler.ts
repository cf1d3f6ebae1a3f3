/**
 * Decides when a file has stopped growing, and when a missing one is really gone. Pure: looks and times go in.
 *
 * A copy in progress changes size and time at every look; `rm` followed by `cp` makes a file vanish for a
 * moment. So a file counts only when two scans some time apart agree. A file that has not been written to for long
 * counts at once, which makes the first start on a full directory quick.
 */
import { type FileStamp, type FoundFile, sameStamp } from './scan.js'

/** The times of the decision, milliseconds. */
export interface SettleTimes {
  /** Two looks this far apart that agree make a file settled. */
  readonly quietMs: number
  /** Last written this long ago: settled at the first look. */
  readonly oldMs: number
  /** Growing for so long is reported, and holds the others up no more. */
  readonly growingMs: number
}

/** What a server uses. */
export const settleTimes: SettleTimes = { quietMs: 1000, oldMs: 10_000, growingMs: 60_000 }

/** `settled`: read it. `waiting`: look again soon. `growing`: it has been changing for too long. */
export type FileState = 'settled' | 'waiting' | 'growing'

interface Watched {
  stamp: FileStamp
  /** Since when the stamp has been like this. */
  sinceMs: number
  /** Since when it has not been settled. */
  unsettledMs: number
  settled: boolean
}

/** Remembers what earlier scans saw of each file. */
export class Settler {
  readonly #times: SettleTimes
  readonly #files = new Map<string, Watched>()
  readonly #missingSinceMs = new Map<string, number>()

  constructor(times: SettleTimes = settleTimes) {
    this.#times = times
  }

  /** Records a file as a scan saw it, and says whether it has settled. `nowMs` is the wall clock, like the file's times. */
  look(file: FoundFile, nowMs: number): FileState {
    const key = fileKey(file)
    this.#missingSinceMs.delete(key)
    const before = this.#files.get(key)
    if (before === undefined || !sameStamp(before.stamp, file.stamp)) {
      const writtenMs = Number(BigInt(file.stamp.mtimeNs) / 1_000_000n)
      const settled = nowMs - writtenMs >= this.#times.oldMs && before === undefined
      const unsettledMs = before === undefined || before.settled ? nowMs : before.unsettledMs
      this.#files.set(key, { stamp: file.stamp, sinceMs: nowMs, unsettledMs, settled })
      if (settled) return 'settled'
      return nowMs - unsettledMs >= this.#times.growingMs ? 'growing' : 'waiting'
    }
    // A clock that was set back must not hold a file for ever.
    if (nowMs < before.sinceMs) before.sinceMs = nowMs
    if (nowMs - before.sinceMs >= this.#times.quietMs) before.settled = true
    if (before.settled) return 'settled'
    return nowMs - before.unsettledMs >= this.#times.growingMs ? 'growing' : 'waiting'
  }

  /** The file changed while it was read: it is unsettled again. */
  unsettle(file: FoundFile, nowMs: number): void {
    const watched = this.#files.get(fileKey(file))
    if (watched === undefined) return
    if (watched.settled) watched.unsettledMs = nowMs
    watched.settled = false
    watched.sinceMs = nowMs
  }

  /** Whether a file that was published and is not there now is really gone. */
  gone(key: string, nowMs: number): boolean {
    const sinceMs = this.#missingSinceMs.get(key)
    if (sinceMs === undefined || nowMs < sinceMs) {
      this.#missingSinceMs.set(key, nowMs)
      return false
    }
    return nowMs - sinceMs >= this.#times.quietMs
  }

  /** Forgets all files but these. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.#files.keys()) if (!keys.has(key)) this.#files.delete(key)
  }

  /** Forgets what was missing, but for these. */
  keepMissing(keys: ReadonlySet<string>): void {
    for (const key of this.#missingSinceMs.keys()) if (!keys.has(key)) this.#missingSinceMs.delete(key)
  }
}

/** Names a file of the catalog within maps: kind and name. */
export function fileKey(file: { readonly kind: string; readonly name: string }): string {
  return `${file.kind}/${file.name}`
}
