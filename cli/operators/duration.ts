/** A duration on the command line. Pure. */
import { BootswarmError } from '../../src/errors.js'

const form = /^([0-9]{1,4})(s|m|h)?$/
const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }

/**
 * `30s`, `5m`, `1h`; without a unit seconds.
 * @throws {BootswarmError} USAGE_INVALID
 */
export function parseDurationS(text: string, flag: string): number {
  const [, count, unit = 's'] = form.exec(text.trim()) ?? []
  if (count !== undefined) return Number(count) * (secondsOf[unit] ?? 1)
  throw new BootswarmError('USAGE_INVALID', `--${flag}: expected 30s, 5m or 1h, got ${text.slice(0, 40)}`)
}
