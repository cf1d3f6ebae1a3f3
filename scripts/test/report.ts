/** What `npm test` says at its end: each step with its time and its slowest files, what was left out, the verdict. Pure. */
import type { FileTime } from './file-times.js'

/** What a step came to. `skipped` tests count as failures of the whole: nothing is left out in silence. */
export interface Count {
  passed: number
  failed: number
  skipped: number
}

/** A step that ran. */
export interface Outcome {
  readonly name: string
  readonly count: Count
  readonly seconds: number
  /** Processor time of all that it started and waited for; next to `seconds` it tells waiting from work. */
  readonly cpuSeconds: number
  readonly files: readonly FileTime[]
  /** If it failed: what it said of that. */
  readonly lastWords: readonly string[]
}

const FILES_SHOWN = 5

/** The lines of the report. */
export function reportLines(outcomes: readonly Outcome[], short: (file: string) => string): string[] {
  const lines = outcomes.flatMap(({ name, count, seconds, cpuSeconds, files }) => {
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : ''
    const counted = `${count.passed} passed, ${count.failed} failed${skipped}`
    return [
      `${seconds.toFixed(1).padStart(8)} s  ${name}: ${counted} (${cpuSeconds.toFixed(0)} s of processor)`,
      ...files
        .slice(0, FILES_SHOWN)
        .map((file) => `${' '.repeat(12)}${file.seconds.toFixed(1).padStart(7)} s  ${short(file.file)}`),
    ]
  })
  const total = outcomes.reduce((sum, { seconds }) => sum + seconds, 0)
  return [...lines, `${total.toFixed(1).padStart(8)} s  in all`]
}

/** What failed, said again where it is looked for: output may be long, and only its end at hand. */
export function failureLines(outcomes: readonly Outcome[]): string[] {
  return outcomes
    .filter(({ lastWords }) => lastWords.length > 0)
    .flatMap(({ name, lastWords }) => ['', `== ${name}, again:`, ...lastWords])
}

/** Passed and failed; what was skipped has failed: nothing is left out in silence. */
export function totals(outcomes: readonly Outcome[]): { passed: number; failed: number; broken: string[] } {
  const bad = ({ count }: Outcome) => count.failed + count.skipped
  return {
    passed: outcomes.reduce((sum, { count }) => sum + count.passed, 0),
    failed: outcomes.reduce((sum, outcome) => sum + bad(outcome), 0),
    broken: outcomes.filter((outcome) => bad(outcome) > 0).map(({ name }) => name),
  }
}
