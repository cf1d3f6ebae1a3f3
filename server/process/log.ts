/**
 * The server's log: pino, for people on a terminal, one JSON object a line otherwise; secrets never. The one place where
 * text that others chose becomes a log line: whatever a message or a fact holds, it is one printable line of bounded length.
 */

import { type Logger, pino } from 'pino'
import { prettyFactory } from 'pino-pretty'
import type { Config } from '../../src/config.js'
import { printable } from '../../src/text.js'
import { printableFacts } from './log-facts.js'
import { type LogSink, logOutput } from './log-output.js'

export type { Logger } from 'pino'

/** Where and how to log. */
export interface LogOptions extends Pick<Config['log'], 'level' | 'format'> {
  /** Where the lines go: standard output, standard error, or whatever takes them. */
  readonly destination?: 'stdout' | 'stderr' | LogSink
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
  const format = people ? peoplesFormat(options.isTerminal) : (line: string) => line
  const { destination = 'stdout' } = options
  const sink =
    typeof destination === 'object'
      ? destination
      : logOutput(destination === 'stdout' ? 1 : 2, (lines) => format(lostLine(lines)))
  return pino(
    {
      level: options.level,
      base: null,
      redact: {
        paths: [...SECRET.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), '*.*.*.settings'],
        censor: '[secret]',
      },
      serializers: { msg: (message: unknown) => printable(String(message)), err: (error: unknown) => error },
      // ISO 8601: readable, and sorts by time.
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }), log: printableFacts },
    },
    { write: (line) => sink.write(format(line)) },
  )
}

function peoplesFormat(colorize: boolean): (line: string) => string {
  return prettyFactory({
    colorize,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'part',
    messageFormat: (line, key) => `${line.part === undefined ? '' : `${line.part}: `}${line[key]}`,
    singleLine: true,
    // An error would take several lines.
    errorLikeObjectKeys: [],
  })
}

function lostLine(lines: number): string {
  const facts = { level: 'warn', time: new Date().toISOString(), event: 'log.lost', lines }
  return `${JSON.stringify({ ...facts, msg: `${lines} lines of the log were lost: nobody took them in time` })}\n`
}
