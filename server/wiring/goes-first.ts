/**
 * While others send what a farm waits for, what HTTP sends second yields to them: the seeder's hand-out is passed on from node to
 * node, and a machine whose boot program comes slowly or in pieces has not begun yet.
 */
import type { SendTurns } from '../http/send-turns.js'

/** Whoever goes first, as its counters tell. */
export interface Sender {
  readonly name: string
  /** It sends something that others yield to. */
  isSending(): boolean
  /** What it has sent since it began, bytes. */
  sentBytes(): number
  /** Calls `run` whenever the counters are new. */
  onStats(run: () => void): void
}

/** Follows the counters from now on. */
export function goesFirst(turns: Pick<SendTurns, 'goesFirst'>, sender: Sender): void {
  let over: (() => void) | undefined
  sender.onStats(() => {
    const isSending = sender.isSending()
    if (isSending === (over !== undefined)) return
    over?.()
    const file = { movedBytes: () => sender.sentBytes(), isCrawling: () => false }
    over = isSending ? turns.goesFirst(sender.name, file) : undefined
  })
}
