/** Runs the program that makes a tar and the one that packs it, as one: both end well, or nothing is left of either. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BootswarmError } from '../../src/errors.js'

/** A program that runs in a process group of its own, so that a Ctrl-C reaches it through us, once. */
export interface Running {
  readonly child: ChildProcess
  /** Resolves when it ended well. @throws {BootswarmError} TOOL_MISSING, or IMAGE_FAILED with its output */
  readonly done: Promise<void>
  /** Ends it immediately; the rest is discarded. */
  kill(): void
}

/** How to start it. */
export interface StartOptions {
  readonly env?: NodeJS.ProcessEnv
  /** Where its output goes: to us, or to an open file. */
  readonly stdout: 'pipe' | 'ignore' | number
  readonly stdin: 'pipe' | 'ignore'
  /** Ends it. */
  readonly signal: AbortSignal
  /** Each line of its standard error. */
  readonly onLine?: (line: string) => void
}

/** Last lines of a failed program that go into the error. */
const SAID_LINES = 8
/** A program that was asked to end is given this long to clean up, milliseconds. */
const STOP_MS = 20_000

/** Starts a program. */
export function start(program: string, args: readonly string[], options: StartOptions): Running {
  const { env, stdin, stdout, signal, onLine } = options
  const child = spawn(program, args, {
    env: { ...process.env, LC_ALL: 'C', ...env },
    stdio: [stdin, stdout, 'pipe'],
    detached: true,
  })
  const said: string[] = []
  if (child.stderr !== null) {
    createInterface(child.stderr).on('line', (line) => {
      if (line.trim() !== '' && line.trim() !== `${program}:`) said.push(line.trim())
      if (said.length > 200) said.shift()
      onLine?.(line)
    })
  }
  const stop = () => {
    killGroup(child, 'SIGINT')
    setTimeout(() => killGroup(child, 'SIGKILL'), STOP_MS).unref()
  }
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  const done = new Promise<void>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT'
      reject(
        new BootswarmError(
          missing ? 'TOOL_MISSING' : 'IMAGE_FAILED',
          `${program}: ${missing ? 'not installed' : error.message}`,
        ),
      )
    })
    child.once('close', (status, ended) => {
      signal.removeEventListener('abort', stop)
      if (signal.aborted) return reject(interrupted())
      if (status === 0) return resolve()
      const errors = said.filter((line) => /^(E:|W: Failed|.*[Ee]rror)/.test(line))
      const why = (errors.length > 0 ? errors : said).slice(-SAID_LINES).join('\n  ')
      reject(
        new BootswarmError(
          'IMAGE_FAILED',
          `${program}: ${why.replace(`${program}: `, '') || (ended ?? `exit code ${status}`)}`,
        ),
      )
    })
  })
  // Whoever waits for several programs may hear of another's failure first.
  done.catch(() => {})
  return { child, done, kill: () => killGroup(child, 'SIGKILL') }
}

/** What a run ends with that was told to stop. */
export function interrupted(): BootswarmError {
  return new BootswarmError('IMAGE_FAILED', 'interrupted; nothing was left behind')
}

/**
 * Leads a stream through a program into an open file, or into the file that the program itself writes.
 *
 * @param look - sees every byte on the way
 */
export async function packStream(
  source: Readable,
  packer: { readonly program: string; readonly args: readonly string[]; readonly writesFile: boolean },
  fd: number,
  signal: AbortSignal,
  look: (part: Buffer) => void,
): Promise<void> {
  const { program, args, writesFile } = packer
  const packing = start(program, args, { stdin: 'pipe', stdout: writesFile ? 'ignore' : fd, signal })
  const glass = new Transform({
    transform(part: Buffer, _encoding, done) {
      try {
        look(part)
        done(null, part)
      } catch (error) {
        done(error as Error)
      }
    },
  })
  try {
    const { stdin } = packing.child
    if (stdin !== null) await pipeline(source, glass, stdin)
  } catch (error) {
    // A packer that ended early (a full disk) says why better than the broken pipe does.
    if (isBrokenPipe(error)) await packing.done
    packing.kill()
    throw signal.aborted ? interrupted() : error
  }
  await packing.done
}

function isBrokenPipe(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET'
}

function killGroup({ pid, exitCode, signalCode }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
