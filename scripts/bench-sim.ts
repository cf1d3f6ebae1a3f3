/**
 * `npm run bench:sim -- --nodes 5000 --racks 210`: the agent's state machine in virtual time at full scale, 130 MB
 * over 1 Gbit/s in the server's pieces unless told otherwise. All arguments of swarm-sim; `--beside FILE` sets a
 * storm's JSON beside it. `--layouts` simulates many farms and prints one table. Exit code 1: a node has failed, or the two
 * disagree.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import {
  type LayoutOptions,
  layoutHeader,
  layoutRow,
  parseLayoutOptions,
  simulatorArguments,
} from '../bench/sim/layouts.js'
import { type Simulated, simulate, simulator } from '../bench/storm/simulate.js'
import { BootswarmError } from '../src/errors.js'
import { buildSimulator } from './build-agent.js'

try {
  const argv = process.argv.slice(2)
  const layouts = argv.includes('--layouts') ? parseLayoutOptions(argv) : undefined
  buildSimulator()
  if (argv.includes('--help')) {
    execFileSync(simulator, ['--help'], { stdio: 'inherit' })
    process.stdout.write(
      'bench:sim: 5,000 nodes in 210 racks, 130 MB, 1 Gbit/s; [--beside STORM.json]\n' +
        'bench:sim --layouts [--only NAME,NAME] [--seeds 1,2,3] [--small]: many farms, one table\n',
    )
  } else if (layouts) runLayouts(layouts)
  else run(argv)
} catch (error) {
  if (!(error instanceof BootswarmError)) throw error
  process.stderr.write(`bootswarm: ${error.code}: ${error.message}\n`)
  process.exitCode = 1
}

/** Each farm's row as soon as it is known: all of them take an hour. */
function runLayouts({ farms, isSmall, seeds }: LayoutOptions): void {
  process.stdout.write(`${layoutHeader()}\n`)
  for (const farm of farms) {
    const runs = seeds.map((seed) => {
      const beganAt = performance.now()
      const found = simulated(simulatorArguments(farm, isSmall, seed))
      return { found, tookS: (performance.now() - beganAt) / 1000 }
    })
    process.stdout.write(`${layoutRow(farm, isSmall, runs)}\n`)
    if (runs.some(({ found }) => Number(found.failed) > 0)) process.exitCode = 1
  }
}

function simulated(args: readonly string[]): Simulated {
  const found = simulate(args)
  if (!found) throw new BootswarmError('USAGE_INVALID', 'swarm-sim refused these arguments or found no end')
  return found
}

function run(argv: string[]): void {
  const beside = argv.indexOf('--beside')
  // Before minutes of simulation, not after them.
  const real = beside >= 0 ? readStorm(argv.splice(beside, 2)[1]) : undefined
  const farm: [string, string][] = [
    ['--nodes', '5000'],
    ['--racks', '210'],
  ]
  const defaults: [string, string][] = [
    ...(argv.includes('--topology') ? [] : farm),
    ['--payload-mb', '130'],
    ['--link-mbit', '1000'],
  ]
  const args = defaults.flatMap(([name, value]) => (argv.includes(name) ? [] : [name, value]))
  const found = simulated([...args, ...argv])
  process.stdout.write(`${JSON.stringify({ arguments: [...args, ...argv].join(' '), ...found }, null, 2)}\n`)
  if (Number(found.failed) > 0) process.exitCode = 1
  if (real) compare(real, Number(found.last_over_floor))
}

/** What is needed of a storm's JSON. */
interface Storm {
  readonly last_over_floor: number | null
  readonly valid: boolean
}

/** @throws BootswarmError USAGE_INVALID */
function readStorm(file: string | undefined): Storm {
  try {
    const storm = JSON.parse(readFileSync(file ?? '', 'utf8')) as Partial<Storm> | null
    if (typeof storm?.valid === 'boolean' && storm.last_over_floor !== undefined) return storm as Storm
  } catch {
    // Said below.
  }
  throw new BootswarmError('USAGE_INVALID', '--beside wants the JSON file of a storm')
}

/** The two must agree within 15 %. */
function compare(real: Storm, figure: number): void {
  const measured = real.last_over_floor ?? Number.NaN
  const apart = Math.abs(figure / measured - 1)
  const verdict = apart <= 0.15 ? 'agree' : 'DISAGREE'
  const shown = `simulated ${figure.toFixed(3)}, measured ${measured.toFixed(3)}`
  process.stdout.write(
    `${verdict}: ${shown}, ${(apart * 100).toFixed(1)} % apart${real.valid ? '' : ' (the measured run was processor-bound)'}\n`,
  )
  if (!(apart <= 0.15)) process.exitCode = 1
}
