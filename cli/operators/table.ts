/** Rows of text as a table that fits the terminal. Pure. */
import { printable } from '../../src/text.js'

/** A column of rows. */
export interface Column<Row> {
  readonly title: string
  readonly of: (row: Row) => string
  /** Numbers: at the right. */
  readonly isRight?: boolean
  /** It may be cut to so many characters where the terminal is narrow; otherwise it is never cut. */
  readonly min?: number
}

const gap = '  '
const cellLengthMax = 256

/** The lines of the table, title first. `width`: of the terminal; undefined: nothing is cut. */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width?: number,
): string[] {
  const cells = rows.map((row) => columns.map(({ of }) => printable(of(row), cellLengthMax)))
  const natural = columns.map(({ title }, n) =>
    cells.reduce((most, row) => Math.max(most, lengthOf(row[n] ?? '')), title.length),
  )
  const widths = width === undefined ? natural : fit(columns, natural, width)
  return [columns.map(({ title }) => title), ...cells].map((row) =>
    columns
      .map(({ isRight }, n) => pad(cut(row[n] ?? '', widths[n] ?? 0), widths[n] ?? 0, isRight === true))
      .join(gap)
      .trimEnd(),
  )
}

/** The widest of those that may be cut gives way first. */
function fit<Row>(columns: readonly Column<Row>[], natural: readonly number[], width: number): number[] {
  const widths = [...natural]
  const room = width - gap.length * (columns.length - 1)
  for (let over = sum(widths) - room; over > 0; over -= 1) {
    let widest = -1
    for (const [n, { min }] of columns.entries()) {
      const own = widths[n] ?? 0
      if (min !== undefined && own > min && own > (widths[widest] ?? 0)) widest = n
    }
    if (widest === -1) break
    widths[widest] = (widths[widest] ?? 1) - 1
  }
  return widths
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, number) => all + number, 0)
}

function cut(text: string, width: number): string {
  return lengthOf(text) <= width ? text : `${[...text].slice(0, Math.max(0, width - 1)).join('')}…`
}

function pad(text: string, width: number, isRight: boolean): string {
  const space = ' '.repeat(Math.max(0, width - lengthOf(text)))
  return isRight ? space + text : text + space
}

/** Characters, of which none is half of one. */
function lengthOf(text: string): number {
  return text.length < 2 ? text.length : [...text].length
}
