/** The server's log: pino, for people on a terminal, one JSON object a line otherwise; secrets never. */

import { type DestinationStream, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'
import type { Config } from '../../src/config.js'
import { BootswarmError } from '../../src/errors.js'

export type { Logger } from 'pino'

/** Where and how to log. */
export interface LogOptions extends Pick<Config['log'], 'level' | 'format'> {
  /** Where the lines go; standard output if left out. */
  readonly destination?: DestinationStream
  /** Whether people read it as it comes: decides what `auto` means. */
  readonly isTerminal: boolean
}

/** Members that hold secrets, wherever a log line carries an object with them: settings may be passwords. */
const SECRET = [
  'settings',
  'privateKey',
  'private_key',
  'key',
  'password',
  'token',
  'authorization',
  'cookie',
]

/** Makes the logger. Children carry `part`: `log.child({ part: 'tracker' })`. */
export function createLog(options: LogOptions): Logger {
  const people = options.format === 'pretty' || (options.format === 'auto' && options.isTerminal)
  const destination = options.destination ?? pino.destination({ dest: 1, sync: true })
  const settings = {
    level: options.level,
    base: null,
    redact: {
      paths: [...SECRET.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), '*.*.*.settings'],
      censor: '[secret]',
    },
    serializers: { err: serializeError, error: serializeError },
    // ISO 8601: readable, and sorts by time.
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  if (!people) return pino(settings, destination)
  return pino(
    settings,
    pretty({
      destination: destination as NodeJS.WritableStream & DestinationStream,
      colorize: options.isTerminal,
      translateTime: 'SYS:HH:MM:ss',
      ignore: 'part',
      messageFormat: (line, key) => `${line.part === undefined ? '' : `${line.part}: `}${line[key]}`,
      singleLine: true,
      sync: true,
    }),
  )
}

/** An error as it is logged: the code of ours, the stack only of what was not expected. */
function serializeError(error: unknown): unknown {
  if (error instanceof BootswarmError) return { code: error.code, message: error.message }
  if (error instanceof Error) return { message: error.message, stack: error.stack }
  return { message: String(error) }
}
