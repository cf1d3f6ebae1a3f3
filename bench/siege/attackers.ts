/** Starts the programs of an attack on the attacker's machine, and ends them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { BootswarmError } from '../../src/errors.js'
import { stop } from '../agent/measure.js'
import { inside } from '../storm/network.js'
import type { Attack } from './attacks.js'
import { type Counts, isIdle } from './run.js'
import type { Target } from './target.js'

/** Attackers of a farm have machines of their own: here they get what processor time is left. */
const NICE = ['nice', '-n', '10']

const lookMs = 100

/** Attackers at work. */
export interface Attackers {
  /** What each has counted so far. */
  counts(): Record<string, Counts>
  /** Resolves when each has done something, at the latest after so many milliseconds. */
  atWork(ms: number): Promise<void>
  /**
   * Ends all.
   * @throws {BootswarmError} STORM_FAILED when one has ended by itself: nothing was attacked then
   */
  end(): Promise<void>
}

/** Starts all; resolves when each has begun. */
export async function startAttackers(
  attacks: readonly Attack[],
  namespace: string,
  directory: string,
  targetOf: (attack: Attack) => Target,
): Promise<Attackers> {
  const logFile = join(directory, 'attackers.log')
  const log = openSync(logFile, 'a')
  const counts = new Map<string, Counts>()
  const running = attacks.map((attack): ChildProcess => {
    const program = fileURLToPath(new URL(`./attackers/${attack.program}.js`, import.meta.url))
    const command = [...NICE, process.execPath, program, JSON.stringify(targetOf(attack)), ...attack.words]
    const [first, args] = inside(namespace, command)
    return spawn(first, args, { stdio: ['ignore', 'pipe', log], cwd: directory })
  })
  closeSync(log)
  const began = running.map((child, index) => {
    const name = attacks[index]?.name ?? ''
    return new Promise<void>((resolve) => {
      if (child.stdout === null) return resolve()
      createInterface(child.stdout).on('line', (line) => {
        // The last line of one that is ended may be half a line.
        if (line.endsWith('}')) counts.set(name, JSON.parse(line) as Counts)
        resolve()
      })
      // Seen at the end.
      child.once('close', () => resolve())
    })
  })
  await Promise.all(began)
  return {
    counts: () => Object.fromEntries(counts),
    atWork: async (ms) => {
      const deadlineMs = performance.now() + ms
      while ([...counts.values()].some(isIdle) && performance.now() < deadlineMs) {
        await new Promise((resolve) => setTimeout(resolve, lookMs))
      }
    },
    end: async () => {
      const gone = attacks.filter((_, index) => running[index]?.exitCode !== null)
      await Promise.all(running.map(stop))
      if (gone.length === 0) return
      const names = gone.map(({ name }) => name).join(', ')
      const why = readFileSync(logFile, 'utf8').slice(-1000)
      throw new BootswarmError('STORM_FAILED', `attackers that ended by themselves: ${names}: ${why}`)
    },
  }
}
