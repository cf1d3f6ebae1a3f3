/**
 * `npm run bench:sim -- --nodes 5000 --racks 210`: the agent's state machine in virtual time at full scale, 130 MB
 * over 1 Gbit/s in the server's pieces unless told otherwise. All arguments of swarm-sim; `--beside FILE` sets a
 * storm's JSON beside it. Exit code 1: a node has failed, or the two disagree.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { simulate, simulator } from '../bench/storm/simulate.js'
import { BootswarmError } from '../src/errors.js'
import { buildSimulator } from './build-agent.js'

try {
  buildSimulator()
  const argv = process.argv.slice(2)
  if (argv.includes('--help')) {
    execFileSync(simulator, ['--help'], { stdio: 'inherit' })
    process.stdout.write('bench:sim: 5,000 nodes in 210 racks, 130 MB, 1 Gbit/s; [--beside STORM.json]\n')
  } else run(argv)
} catch (error) {
  if (!(error instanceof BootswarmError)) throw error
  process.stderr.write(`bootswarm: ${error.code}: ${error.message}\n`)
  process.exitCode = 1
}

function run(argv: string[]): void {
  const beside = argv.indexOf('--beside')
  // Before minutes of simulation, not after them.
  const real = beside >= 0 ? readStorm(argv.splice(beside, 2)[1]) : undefined
  const defaults: [string, string][] = [
    ['--nodes', '5000'],
    ['--racks', '210'],
    ['--payload-mb', '130'],
    ['--link-mbit', '1000'],
  ]
  const args = defaults.flatMap(([name, value]) => (argv.includes(name) ? [] : [name, value]))
  const found = simulate([...args, ...argv])
  if (!found) throw new BootswarmError('USAGE_INVALID', 'swarm-sim refused these arguments or found no end')
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
function compare(real: Storm, simulated: number): void {
  const measured = real.last_over_floor ?? Number.NaN
  const apart = Math.abs(simulated / measured - 1)
  const verdict = apart <= 0.15 ? 'agree' : 'DISAGREE'
  const shown = `simulated ${simulated.toFixed(3)}, measured ${measured.toFixed(3)}`
  process.stdout.write(
    `${verdict}: ${shown}, ${(apart * 100).toFixed(1)} % apart${real.valid ? '' : ' (the measured run was processor-bound)'}\n`,
  )
  if (!(apart <= 0.15)) process.exitCode = 1
}
