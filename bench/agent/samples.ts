/** The results of the rounds of `npm run bench:agent`, failures included, and their table. Pure. */
import { median } from './measure.js'

/** One measurement. */
export interface Figures {
  readonly mbPerSecond: number
  readonly cpuSecondsPerGb: number
  /** Highest resident set, MB (10^6 bytes). */
  readonly peakMb: number
}

/** One contestant in one scenario: medians of the rounds that succeeded; null when none did. */
export interface Row {
  readonly scenario: string
  readonly client: string
  readonly mbPerSecond: number | null
  readonly cpuSecondsPerGb: number | null
  readonly peakMb: number | null
  /** Rounds that failed, and why the last of them did. */
  readonly failed: number
  readonly why: string
}

/** Collects the rounds; contestants in the order in which they first came. */
export class Samples {
  readonly #rows = new Map<string, { good: Figures[]; failed: number; why: string }>()

  add(scenario: string, client: string, figures: Figures): void {
    this.#of(scenario, client).good.push(figures)
  }

  fail(scenario: string, client: string, why: string): void {
    const row = this.#of(scenario, client)
    row.failed += 1
    row.why = why
  }

  rows(): Row[] {
    return [...this.#rows].map(([key, { good, failed, why }]) => {
      const [scenario = '', client = ''] = key.split('\t')
      const middle = (name: keyof Figures) =>
        good.length === 0 ? null : median(good.map((figures) => figures[name]))
      return {
        scenario,
        client,
        mbPerSecond: middle('mbPerSecond'),
        cpuSecondsPerGb: middle('cpuSecondsPerGb'),
        peakMb: middle('peakMb'),
        failed,
        why,
      }
    })
  }

  #of(scenario: string, client: string) {
    const key = `${scenario}\t${client}`
    const row = this.#rows.get(key) ?? { good: [], failed: 0, why: '' }
    this.#rows.set(key, row)
    return row
  }
}

/** The rows as a table in Markdown. */
export function table(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const figures = [row.mbPerSecond?.toFixed(0), row.cpuSecondsPerGb?.toFixed(2), row.peakMb?.toFixed(1)]
    const note =
      row.failed === 0 ? '' : `failed${row.failed > 1 ? ` ${row.failed} times` : ''}: ${oneLine(row.why)}`
    return `| ${[row.scenario, row.client, ...figures.map((figure) => figure ?? '-'), note].join(' | ')} |`
  })
  return ['| scenario | client | MB/s | CPU s/GB | peak MB | |', '|---|---|---|---|---|---|', ...lines].join(
    '\n',
  )
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').replaceAll('|', '/').trim()
  return line.length > 200 ? `${line.slice(0, 200)} ...` : line
}
