/**
 * Says each problem of the catalog once when it appears and once when it is over, not at every look; and once of each
 * file that it is passed over.
 */
import { type CatalogProblem, displayPath, type PassedOver } from './scan.js'

/** A service's log: facts, then one line for people. pino fits. */
export interface ServiceLog {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

/** The problems of the last look. */
export class ProblemLog {
  #problems = new Map<string, CatalogProblem>()
  #passedOver = new Map<string, PassedOver>()
  readonly #log: ServiceLog

  constructor(log: ServiceLog) {
    this.#log = log
  }

  /** The problems that stand now. */
  get current(): readonly CatalogProblem[] {
    return [...this.#problems.values()]
  }

  /** The files that are passed over now. */
  get passedOver(): readonly PassedOver[] {
    return [...this.#passedOver.values()]
  }

  /** Takes the files that a look passed over. */
  passOver(files: readonly PassedOver[]): void {
    const next = new Map(files.map((file) => [displayPath(file), file]))
    for (const [path, file] of next) {
      if (this.#passedOver.has(path)) continue
      const level = file.isTransient ? 'debug' : 'info'
      this.#log[level](
        { event: 'catalog.passed-over', file: path, what: file.what },
        `${path} is passed over: by its name it is ${file.what}`,
      )
    }
    this.#passedOver = next
  }

  /** Takes the problems of a look. */
  update(problems: readonly CatalogProblem[]): void {
    const next = new Map(problems.map((problem) => [`${problem.code} ${displayPath(problem)}`, problem]))
    for (const [key, problem] of next) {
      if (this.#problems.get(key)?.message === problem.message) continue
      const file = displayPath(problem)
      const kept = problem.keepsLast ? ' (what was published before, if anything, stays)' : ''
      this.#log.warn(
        { event: 'catalog.problem', code: problem.code, file },
        `${file}: ${problem.message}${kept}`,
      )
    }
    for (const [key, problem] of this.#problems) {
      if (next.has(key)) continue
      const file = displayPath(problem)
      this.#log.info(
        { event: 'catalog.problem-over', code: problem.code, file },
        `${file}: ${problem.code} is over`,
      )
    }
    this.#problems = next
  }
}
