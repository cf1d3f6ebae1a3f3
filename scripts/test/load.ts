/**
 * Makes this machine slow: busy loops as processes of their own. Each ends when the pipe to its parent closes, so that
 * none is left behind by a parent that was killed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'

/** Looks for the end of its input every 20 ms, and is busy meanwhile. */
const loop = `
process.stdin.on('end', () => process.exit()).resume()
const spin = () => { for (const end = Date.now() + 20; Date.now() < end;); setImmediate(spin) }
spin()
`

/** Loops for each core: the tests get a third of it. */
const LOOPS_PER_CORE = 2

/** Load that runs until it is stopped. */
export interface Load {
  readonly pids: readonly number[]
  stop(): void
}

/** Starts the loops. */
export function startLoad(loops = LOOPS_PER_CORE * availableParallelism()): Load {
  const children = Array.from(
    { length: loops },
    (): ChildProcess => spawn(process.execPath, ['-e', loop], { stdio: ['pipe', 'ignore', 'inherit'] }),
  )
  // A loop that was killed has no use for the end of its input.
  for (const { stdin } of children) stdin?.on('error', () => {})
  return {
    pids: children.flatMap(({ pid }) => pid ?? []),
    stop: () => {
      for (const { stdin } of children) stdin?.destroy()
    },
  }
}
