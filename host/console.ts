/**
 * What commands print: the one place where text that others chose (file names, answers from the network, output of other
 * programs) becomes a line on the operator's terminal.
 */
import { printable, printableJson } from '../src/text.js'

/** Characters of a line that quotes others; a list of packages is long. */
const lineLengthMax = 4096
/** Lines of an error: what a program that failed had to say. */
const errorLinesMax = 100

/** Prints lines to standard output. */
export function printLines(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${printable(line, lineLengthMax)}\n`).join(''))
}

/** Prints text with a layout of its own, such as help or colours. Whoever made it has made all that it quotes printable. */
export function printText(text: string): void {
  process.stdout.write(text)
}

/** Prints a value as JSON, on one line or indented. */
export function printJson(value: unknown, indent?: number): void {
  process.stdout.write(`${printableJson(value, indent)}\n`)
}

/** Prints an error or a warning to standard error. Further lines are indented: none passes for one of ours. */
export function complain(text: string): void {
  const [first = '', ...more] = text.split('\n').map((line) => printable(line, lineLengthMax))
  const rest = more.slice(0, errorLinesMax).map((line) => (line.startsWith('  ') ? line : `  ${line}`))
  process.stderr.write(`${[`bootswarm: ${first}`, ...rest].join('\n')}\n`)
}

/** Puts one line on a terminal at standard error in the place of the one before; an empty one takes it away. Elsewhere: nothing. */
export function hint(text: string): void {
  if (process.stderr.isTTY === true) process.stderr.write(`\r\u001b[K${printable(text)}`)
}
