/** Runs a program to its end and gives what it printed; for tools that make images. */
import { spawn } from 'node:child_process'
import { BootswarmError } from '../src/errors.js'

/** How to run it. */
export interface RunOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** What it reads from standard input; nothing by default. */
  readonly input?: Uint8Array
}

/** The end of a failed program's output that goes into the error, bytes. */
const SAID_BYTES = 2000

/**
 * Standard output of a program that ended well.
 * @throws {BootswarmError} TOOL_MISSING if there is no such program, IMAGE_FAILED with its output if it failed.
 */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, LC_ALL: 'C', ...options.env },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    const out: Buffer[] = []
    let said = ''
    child.stdout?.on('data', (part: Buffer) => out.push(part))
    child.stderr?.on('data', (part: Buffer) => {
      said = (said + part.toString()).slice(-SAID_BYTES)
    })
    child.on('error', (error: NodeJS.ErrnoException) => {
      const code = error.code === 'ENOENT' ? 'TOOL_MISSING' : 'IMAGE_FAILED'
      reject(
        new BootswarmError(code, `${program}: ${code === 'TOOL_MISSING' ? 'not installed' : error.message}`),
      )
    })
    child.on('close', (status, signal) => {
      if (status === 0) return resolve(Buffer.concat(out))
      const why = said.trim() === '' ? `ended with ${signal ?? `exit code ${status}`}` : said.trim()
      reject(new BootswarmError('IMAGE_FAILED', `${program} ${args.slice(0, 4).join(' ')} ...: ${why}`))
    })
    // A program that ends before it has read everything tells why by its exit code.
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.input)
  })
}
