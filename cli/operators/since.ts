/** `--since`: a time, or how long ago. Pure. */
import { BootswarmError } from '../../src/errors.js'

const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }
const ago = /^([0-9]{1,6})(?: ?(s|m|h|d)| ?min)$/
const time =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,3})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?$/

/**
 * `10m`, `2h`, `2026-11-30`, `2026-11-30 12:00`; without a zone in that of this machine. Milliseconds since 1970.
 * @throws {BootswarmError} USAGE_INVALID
 */
export function parseSince(text: string, nowMs: number): number {
  const trimmed = text.trim()
  const [, count, unit = 'm'] = ago.exec(trimmed) ?? []
  if (count !== undefined) return Math.max(0, nowMs - Number(count) * (secondsOf[unit] ?? 60) * 1000)
  // Without a time of day it would be one of UTC.
  const whole = trimmed.length === 10 ? `${trimmed}T00:00` : trimmed.replace(' ', 'T')
  const ms = time.test(trimmed) ? Date.parse(whole) : Number.NaN
  if (ms >= 0) return ms
  const message = `--since: expected 10m, 2h, 3d or 2026-11-30 12:00, got ${text.slice(0, 40)}`
  throw new BootswarmError('USAGE_INVALID', message)
}
