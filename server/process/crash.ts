/**
 * What becomes of an error that nothing has caught. What the system refuses (descriptors, memory, the disk) is caught where
 * it is asked for; what gets here is a mistake in the program, and nobody knows what it has left half done. So the daemon says
 * why and ends, and its service manager starts it again from what is on the disk.
 */
import type { Logger } from './log.js'

/** EX_SOFTWARE of sysexits.h: neither wrong usage nor a configuration that cannot work, so starting again may help. */
export const crashExitCode = 70

/** From now on such an error goes to the log before the process ends. */
export function logCrash(log: Pick<Logger, 'fatal'>): void {
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => {
    try {
      const facts = { event: 'server.crashed', code: 'INTERNAL', err: error }
      log.fatal(facts, `Ends because of an unexpected error: ${error.message}`)
    } finally {
      process.exit(crashExitCode)
    }
  })
}
