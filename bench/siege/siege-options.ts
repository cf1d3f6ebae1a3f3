/** What a siege is asked to be: the command line of `npm run bench:siege`. */
import { parseArgs } from 'node:util'
import { BootswarmError } from '../../src/errors.js'
import { nearest } from '../../src/spelling.js'
import { type Attack, attacks } from './attacks.js'

/** Attacks that run at the same time, with the name of the row. */
export interface Together {
  readonly name: string
  readonly about: string
  readonly attacks: readonly Attack[]
}

/** A whole siege. */
export interface SiegeOptions {
  readonly nodes: number
  readonly rackSize: number
  readonly linkMbit: number
  readonly payloadBytes: number
  readonly stage1Bytes: number
  readonly attacks: readonly Together[]
  /** Rounds of a storm without an attack and one under each. */
  readonly repeat: number
  /** An attack begins so long before the storm, and ends so long after it, seconds. */
  readonly leadS: number
  /** What was taken must be given back within this after the attack, seconds. */
  readonly settleS: number
  /** A storm that takes longer has failed, seconds. */
  readonly timeoutS: number
  readonly seed: number
  /** Where memory-backed scratch files go. */
  readonly directory: string
  readonly json?: string
}

/** The text of `--help`. */
export const usage = `npm run bench:siege -- [options]       (root, Linux)
  --list              the attacks, and what each does
  --attack LIST       some of them, by name; NAME+NAME at the same time, all: all at the same time
                      (one after the other, then all)
  --repeat N          rounds; medians of them are compared (3)
  --nodes N           nodes that boot (12)
  --rack-size N       nodes of a rack, 0: one flat network (6)
  --link-mbit M       rate of every link, both ways (100)
  --payload-mb M      bytes that each node fetches, 10^6 (30)
  --stage1-mb M       bytes of stage 1, 10^6 (4)
  --lead-s N          an attack begins so long before the storm, and ends so long after it (3)
  --settle-s N        what was taken must be given back within this after the attack (60)
  --timeout-s N       a storm that takes longer has failed (120)
  --seed N            chooses the payload (1)
  --directory DIR     scratch files, in memory (/dev/shm)
  --json FILE         the result (docs/bench.md)
`

/** All attacks at the same time. */
const all: Together = { name: 'all', about: 'all of them at the same time', attacks }

/** One row: a name, or several joined by `+`. */
function together(text: string): Together {
  if (text === all.name) return all
  const chosen = text.split('+').map((name) => {
    const found = attacks.find((attack) => attack.name === name)
    if (found !== undefined) return found
    const meant = nearest(
      name,
      attacks.map((attack) => attack.name),
    )
    const hint = meant === undefined ? '' : `: did you mean ${meant}?`
    throw new BootswarmError('USAGE_INVALID', `--attack: there is no ${name}${hint}`)
  })
  return { name: text, about: chosen.map(({ about }) => about).join('; '), attacks: chosen }
}

/** Reads `--attack`; without it each attack alone, and then all. */
function chooseAttacks(list: string | undefined): Together[] {
  if (list === undefined) return [...attacks.map(({ name }) => together(name)), all]
  return list.split(',').map(together)
}

/**
 * Reads the command line.
 * @throws {BootswarmError} USAGE_INVALID
 */
export function parseOptions(argv: readonly string[]): SiegeOptions {
  const text = { type: 'string' } as const
  const numbers = {
    ...{ repeat: text, nodes: text, 'rack-size': text, 'link-mbit': text, 'payload-mb': text },
    ...{ 'stage1-mb': text, 'lead-s': text, 'settle-s': text, 'timeout-s': text, seed: text },
  }
  let values: Readonly<Record<string, string | undefined>>
  try {
    const options = { ...numbers, attack: text, directory: text, json: text }
    values = parseArgs({ args: [...argv], options }).values
  } catch (error) {
    throw new BootswarmError('USAGE_INVALID', error instanceof Error ? error.message : String(error))
  }
  const number = (name: keyof typeof numbers, fallback: number, least: number, most: number): number => {
    const given = values[name]
    if (given === undefined) return fallback
    const value = Number(given)
    if (given === '' || !(value >= least && value <= most)) {
      throw new BootswarmError('USAGE_INVALID', `--${name}: ${given} is not in ${least}-${most}`)
    }
    return value
  }
  return {
    nodes: Math.floor(number('nodes', 12, 1, 200)),
    rackSize: Math.floor(number('rack-size', 6, 0, 200)),
    linkMbit: number('link-mbit', 100, 1, 10_000),
    payloadBytes: Math.round(number('payload-mb', 30, 0.1, 1000) * 1e6),
    stage1Bytes: Math.round(number('stage1-mb', 4, 0.01, 100) * 1e6),
    attacks: chooseAttacks(values.attack),
    repeat: Math.floor(number('repeat', 3, 1, 100)),
    leadS: number('lead-s', 3, 0, 600),
    settleS: number('settle-s', 60, 0, 600),
    timeoutS: number('timeout-s', 120, 1, 3600),
    seed: Math.floor(number('seed', 1, 0, 2 ** 32 - 2)),
    directory: values.directory ?? '/dev/shm',
    ...(values.json === undefined ? {} : { json: values.json }),
  }
}
