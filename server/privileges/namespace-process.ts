/** The life of a server in a mount namespace, seen from the process that root started: it looks as if it were that process. */
import { spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type Namespace, unshareFlags } from './namespace.js'
import { shellQuote } from './shell-quote.js'

/** Signals that mean something to the server. */
export const handedSignals: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP']

const firstFile = fileURLToPath(new URL('./namespace-main.js', import.meta.url))

/**
 * Starts the program (a module's URL) in the mount namespace with these arguments and ends as it ends. Signals are handed in; a killed process
 * takes the server with it. Keeps nothing of root meanwhile.
 */
export function liveInNamespace(
  { script, covered, account }: Namespace,
  program: string,
  args: readonly string[],
): Promise<never> {
  const enter = `${script}\ncd ${shellQuote(process.cwd())}\nexec "$@"`
  const flags = process.execArgv.filter((flag) => !flag.startsWith('--inspect'))
  const server = [process.execPath, ...flags, firstFile, JSON.stringify(covered), program, ...args]
  const child = spawn('unshare', [...unshareFlags, 'sh', '-c', enter, 'sh', ...server], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    // A session of its own: Ctrl-C reaches it once, handed in.
    detached: true,
  })
  const pipe = child.stdio[3] as Writable
  // It has ended: `exit` says how.
  pipe.on('error', () => {})
  for (const signal of handedSignals) process.on(signal, () => void pipe.write(`${signal}\n`))
  process.chdir('/')
  process.setgroups?.([account.gid])
  process.setgid?.(account.gid)
  process.setuid?.(account.uid)
  return new Promise((_resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (signal === null) process.exit(code ?? 1)
      for (const name of handedSignals) process.removeAllListeners(name)
      process.kill(process.pid, signal)
    })
  })
}
