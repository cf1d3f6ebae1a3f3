/** The agent's own state machine in virtual time (the Rust simulator), to set beside a storm. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { round } from './result.js'
import type { StormOptions } from './storm-options.js'

/** Built beside the agent by `npm run build`. */
export const simulator = fileURLToPath(new URL('../../agent/swarm-sim', import.meta.url))

/** What the simulator prints with `--json`. */
export type Simulated = Readonly<Record<string, number | string | readonly (readonly number[])[]>>

/** Runs the simulator, which logs to standard error; null when it is not built or did not finish. */
export function simulate(args: readonly string[]): Simulated | null {
  if (!existsSync(simulator)) return null
  const { stdout } = spawnSync(simulator, [...args, '--json'], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    // A farm's state is far larger than what the processor can address by small pages: large ones save a fifth of the time.
    env: { ...process.env, GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    return JSON.parse(stdout) as Simulated
  } catch {
    return null
  }
}

/** The same storm in virtual time. Its links count payload only: they get the goodput of the real ones. */
export function simulateStorm(options: StormOptions): Simulated | null {
  const even = ['--nodes', options.nodes, '--racks', options.racks.length]
  const farm = options.topology === '' ? even : ['--topology', options.topology]
  const shape = [...farm, '--seed', options.seed]
  const size = ['--payload-mb', options.payloadBytes / 1e6, '--link-mbit', options.linkMbit]
  const faults = [
    '--kill',
    `${round(options.killShare * 100, 2)}%`,
    '--slow',
    `${round(options.slowShare * 100, 2)}%`,
  ]
  const hostile = ['--corrupt', options.corrupt, '--corrupt-kind', options.corruptKind]
  const more = [...hostile, ...(options.serverGone ? ['--server-gone-after-copy'] : [])]
  return simulate([...shape, ...size, ...faults, ...more].map(String))
}
