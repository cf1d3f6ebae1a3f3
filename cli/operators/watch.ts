/** `--watch`: shows something again and again, in place. */
import { printText } from '../../host/console.js'
import { BootswarmError } from '../../src/errors.js'
import { printable } from '../../src/text.js'

const everyMs = 2000
/** Cursor to the upper left corner; clear the rest of a line; clear all below. */
const home = '\u001b[H'
const clearLine = '\u001b[K'
const clearBelow = '\u001b[J'

/**
 * Shows the lines until a signal ends the process.
 * @throws {BootswarmError} USAGE_INVALID without a terminal, and what `lines` throws at first
 */
export async function watch(lines: () => Promise<readonly string[]>): Promise<never> {
  if (process.stdout.isTTY !== true)
    throw new BootswarmError('USAGE_INVALID', '--watch needs a terminal; for programs there is --json')
  let shown = await lines()
  for (;;) {
    const rows = Math.max(1, (process.stdout.rows ?? 24) - 1)
    const kept = shown.slice(0, rows).map((line) => `${line}${clearLine}\n`)
    printText(`${home}${kept.join('')}${clearBelow}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
    try {
      shown = await lines()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      shown = [printable(`(old) ${reason}`), ...shown.filter((line) => !line.startsWith('(old)'))]
    }
  }
}
