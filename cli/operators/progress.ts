/** A bar on the terminal for what lasts. */
import { hint } from '../../host/console.js'

/** Fewer are done before anybody has read it. */
const fewest = 20
const barLength = 40

/** Shows how many of so many are done, on standard error, if that is a terminal. */
export class Progress {
  readonly #all: number

  constructor(all: number) {
    this.#all = all
  }

  show(done: number): void {
    if (this.#all >= fewest) hint(progressBar(done, this.#all))
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#all >= fewest) hint('')
  }
}

/** `[#####     ] 120/240` */
export function progressBar(done: number, all: number): string {
  const filled = Math.floor((barLength * done) / Math.max(1, all))
  return `[${'#'.repeat(filled)}${' '.repeat(barLength - filled)}] ${done}/${all}`
}
