/** Runs a program for an operator: bounded in time and output, without root rights, a shell, or anything of this process. */
import { type ChildProcess, spawn } from 'node:child_process'

/** What is run. */
export interface Command {
  readonly argv: readonly string[]
  /** Beside {@link cleanEnv}. */
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds; by default {@link commandMs}. */
  readonly timeoutMs?: number
}

/** Longer than a controller takes that is asked three times, milliseconds. */
const commandMs = 60_000
/** How long its output may stay open once it has ended, milliseconds: something that left its process group may hold it. */
const openMs = 1000
/** Characters of its last words that are kept. */
const tailLength = 2048
const lineLength = 200

/** Debian's own; nothing of this process's. */
const cleanEnv = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
} as const
/** `nobody`, and what Linux calls a user that it has no number for (overflowuid). */
const nobody = 65_534

/**
 * The end of its standard output, when it has ended with 0. What it leaves running in its process group is killed.
 *
 * @throws Error with its exit code and last line, or why it was ended
 */
export async function runCommand(
  { argv, env = {}, timeoutMs = commandMs }: Command,
  ended: AbortSignal,
): Promise<string> {
  ended.throwIfAborted()
  const [program = '', ...args] = argv
  const child = spawn(program, args, {
    ...{ cwd: '/', env: { ...cleanEnv, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
    ...(process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}),
  })
  let why: string | undefined
  const end = (reason: string) => {
    why ??= reason
    killGroup(child)
  }
  const abort = () => end('the server ended')
  const timer = setTimeout(() => end(`it did not end within ${timeoutMs / 1000} s`), timeoutMs)
  ended.addEventListener('abort', abort, { once: true })
  try {
    const [out, err] = [tailOf(child.stdout), tailOf(child.stderr)]
    const { code, signal } = await exitOf(child)
    if (why !== undefined) throw new Error(why)
    if (code === 0) return out()
    const said = lastLine(err()) || lastLine(out())
    throw new Error(`${code === null ? signal : `exit code ${code}`}${said === '' ? '' : `: ${said}`}`)
  } finally {
    clearTimeout(timer)
    ended.removeEventListener('abort', abort)
  }
}

/** Resolves when it has ended and its output has been read. @throws the system's error where it could not be started */
function exitOf(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    let closing: NodeJS.Timeout | undefined
    child.once('error', reject)
    child.once('exit', () => {
      killGroup(child)
      closing = setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
      }, openMs)
    })
    child.once('close', (code, signal) => {
      clearTimeout(closing)
      resolve({ code, signal })
    })
  })
}

/** It leads a process group of its own. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // There is nobody left in it.
  }
}

/** Reads all of it, and keeps the end. */
function tailOf(stream: NodeJS.ReadableStream | null): () => string {
  let tail = ''
  stream?.setEncoding('utf8')
  stream?.on('data', (text: string) => {
    tail = (tail + text).slice(-tailLength)
  })
  return () => tail
}

function lastLine(text: string): string {
  return (
    text
      .trimEnd()
      .split(/[\r\n]+/)
      .at(-1) ?? ''
  )
    .trim()
    .slice(0, lineLength)
}
