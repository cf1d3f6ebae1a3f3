/** What the benches that measure servers share: numbers of the command line, and the table that they print. */
import { writeFileSync } from 'node:fs'
import { BootswarmError } from '../src/errors.js'

/** @throws BootswarmError USAGE_INVALID for what is no whole number above 0 */
export function countOf(flag: string, text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new BootswarmError('USAGE_INVALID', `--${flag}: expected a whole number above 0`)
}

/** Columns: the title, and what stands there of a row. */
export type Columns<Row> = Readonly<Record<string, (row: Row) => string>>

/** Prints a Markdown table of the rows, and writes them as JSON if a file is named. */
export function reportRows<Row>(rows: readonly Row[], columns: Columns<Row>, jsonFile?: string): void {
  if (jsonFile !== undefined) writeFileSync(jsonFile, `${JSON.stringify(rows, null, 2)}\n`)
  process.stdout.write(`${tableOf(rows, columns)}\n`)
}

/** A Markdown table. */
export function tableOf<Row>(rows: readonly Row[], columns: Columns<Row>): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const titles = Object.keys(columns)
  const body = rows.map((row) => line(Object.values(columns).map((of) => of(row))))
  return [line(titles), `|${'---|'.repeat(titles.length)}`, ...body].join('\n')
}
