/** The suite ends by itself: with an exit code and the names of what runs, whatever hangs. */
import type { TestContext } from 'node:test'

/**
 * Hard limit of the suite: ten times what it takes on a quiet machine with two cores (three to four minutes). Continuous
 * integration ends everything after 90 minutes.
 */
const suiteMs = 2_400_000

const running = new Map<string, number>()

/** From now on the process has this long. What it started is ended with it (test/support/wire.ts, machine.ts). */
export function armDeadline(limitMs = suiteMs): void {
  setTimeout(() => {
    const names = [...running].map(([name, beganMs]) => `${name} (${seconds(performance.now() - beganMs)} s)`)
    process.stderr.write(`e2e: not done after ${seconds(limitMs)} s; still running: ${names.join(', ')}\n`)
    process.exit(1)
  }, limitMs).unref()
}

/** Notes that a scenario runs, and says at its end how long it took. */
export function timed(t: TestContext): void {
  const beganMs = performance.now()
  running.set(t.name, beganMs)
  t.after(() => {
    running.delete(t.name)
    t.diagnostic(`${t.name}: ${seconds(performance.now() - beganMs)} s`)
  })
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1)
}
