/** Runs a bench that changes the machine, and takes back what it changed: at its end, when it fails, and when it is interrupted. */
import { Undo } from '../bench/storm/undo.js'
import { BootswarmError } from '../src/errors.js'

/**
 * Exit codes: 1 where the bench fails or says so, 130 where it is interrupted. A second signal ends it at once.
 *
 * @param bench what it changes, it enters in `undo`
 */
export async function undone(bench: (undo: Undo) => Promise<void>): Promise<void> {
  const undo = new Undo()
  let interrupted = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (interrupted) process.exit(1)
      interrupted = true
      process.stderr.write('bootswarm: interrupted, cleaning up\n')
      void undo.all().finally(() => process.exit(130))
    })
  }
  try {
    await bench(undo)
  } catch (error) {
    // What was interrupted fails as well, and must not end the process before all is taken back.
    if (interrupted) await new Promise(() => {})
    if (!(error instanceof BootswarmError)) throw error
    process.stderr.write(`bootswarm: ${error.code}: ${error.message}\n`)
    process.exitCode = 1
  } finally {
    if (!interrupted) await undo.all()
  }
}
