/**
 * How links are shaped, and what a shaped link can carry. No I/O.
 *
 * A token bucket (TBF) counts Ethernet frames without preamble, checksum and gap: 1,514 bytes for 1,448 of payload,
 * where a wire takes 1,538. The bucket's rate is therefore 1514/1538 of the link's, and a link of so many Mbit/s
 * carries what a real one would.
 */

/** Payload of a full TCP segment with timestamps on Ethernet. */
const SEGMENT_PAYLOAD_BYTES = 1448
/** What a bucket counts for it. */
const SEGMENT_FRAME_BYTES = 1514
/** What a wire takes for it. */
const SEGMENT_WIRE_BYTES = 1538

/** The shape of one direction of a link. */
export interface Shape {
  /** The bucket's rate, bits a second. */
  readonly rateBits: number
  /** Bytes that may go at once: at least one segment that the kernel has not cut yet. */
  readonly burstBytes: number
  /** Bytes that may queue; more are dropped, as a switch does. */
  readonly limitBytes: number
}

/** Largest segment that the kernel keeps whole on its way (GSO), so that 500 links cost little processor time. */
export const GSO_BYTES = 18_000

/**
 * Least segments that TCP gives down at once. On a link of 1 Gbit/s it makes them as large as they may be; on the
 * scaled-down one it would take two, and each costs a timer interrupt of the bucket.
 */
export const MIN_TSO_SEGMENTS = 12

/** The shape of a link. The queue is what a plain switch lets one port have: bytes, as bursts of TCP do not shrink with the rate. */
export function shapeOf(linkMbit: number): Shape {
  return {
    rateBits: Math.round((linkMbit * 1e6 * SEGMENT_FRAME_BYTES) / SEGMENT_WIRE_BYTES),
    // A timer that fires late loses nothing as long as the bucket still has room: 2 ms at high rates.
    burstBytes: Math.max(20_000, Math.round((linkMbit * 1e6 * 0.002) / 8)),
    limitBytes: Math.max(262_144, Math.round((linkMbit * 1e6 * 0.02) / 8)),
  }
}

/**
 * The shortest time after which TCP sends again, microseconds (Linux: 200 ms). On a link of 1 Gbit/s that is a hundred times what
 * a full queue takes; on a scaled-down one a full queue takes longer, and without this TCP takes every wait for a loss.
 */
export function rtoMinUs({ limitBytes, rateBits }: Shape): number {
  return Math.max(200_000, Math.round((2 * limitBytes * 8 * 1e6) / rateBits))
}

/** The arguments of `tc qdisc add dev X root`. */
export function tbf(shape: Shape): string {
  return `tbf rate ${shape.rateBits}bit burst ${shape.burstBytes} limit ${shape.limitBytes}`
}

/** TCP payload that a link carries, bytes a second. */
export function goodputBytes(linkMbit: number): number {
  return (linkMbit * 1e6 * SEGMENT_PAYLOAD_BYTES) / SEGMENT_WIRE_BYTES / 8
}

/** No node can have the payload before: payload / goodput, computed, not measured. Seconds. */
export function floorS(payloadBytes: number, linkMbit: number): number {
  return payloadBytes / goodputBytes(linkMbit)
}

/** TCP payload in so many bytes that a bucket counted, were all segments full. */
export function payloadOf(frameBytes: number): number {
  return (frameBytes * SEGMENT_PAYLOAD_BYTES) / SEGMENT_FRAME_BYTES
}
