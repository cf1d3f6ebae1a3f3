/** Which options of a TFTP request are taken, and how (RFC 2348, 2349, 7440). No I/O. */
import { TFTP_BLOCK_BYTES_MAX, TFTP_WINDOW_MAX } from '../../src/limits.js'

/** Without the option `blksize` (RFC 1350). */
const blockBytesDefault = 512
const blockBytesMin = 8

/** RFC 2349. */
const timeoutMaxS = 255

/** How a transfer runs. */
export interface TftpTerms {
  readonly blockBytes: number
  /** Blocks that may be in flight. */
  readonly windowBlocks: number
  /** What is acknowledged, in the order of the request; empty: no OACK is due. */
  readonly accepted: ReadonlyMap<string, number>
}

/**
 * Chooses the terms; options that are unknown or out of range are passed over, as RFC 2347 wants it. `timeout` is
 * acknowledged, which RFC 2349 demands of who takes it, and changes nothing: it says how patient the client is (curl: 6 s),
 * and a server that waits as long for each lost packet as well only adds to it. `windowMax`: blocks in flight.
 */
export function negotiate(
  options: ReadonlyMap<string, string>,
  sizeBytes: number,
  windowMax = TFTP_WINDOW_MAX,
): TftpTerms {
  const accepted = new Map<string, number>()
  for (const [name, text] of options) {
    const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : undefined
    if (value === undefined) continue
    if (name === 'blksize' && value >= blockBytesMin)
      accepted.set(name, Math.min(value, TFTP_BLOCK_BYTES_MAX))
    else if (name === 'tsize') accepted.set(name, sizeBytes)
    else if (name === 'timeout' && value >= 1 && value <= timeoutMaxS) accepted.set(name, value)
    else if (name === 'windowsize' && value >= 1) accepted.set(name, Math.min(value, windowMax))
  }
  return {
    blockBytes: accepted.get('blksize') ?? blockBytesDefault,
    windowBlocks: accepted.get('windowsize') ?? 1,
    accepted,
  }
}
