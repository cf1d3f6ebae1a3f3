/**
 * `npm run bench:sim -- --nodes 5000 --racks 210`: the agent's state machine in virtual time at full scale, 130 MB
 * over 1 Gbit/s unless told otherwise. All arguments of swarm-sim; `--beside FILE` sets a storm's JSON beside it.
 */
import { readFileSync } from 'node:fs'
import { simulate } from '../bench/storm/simulate.js'
import { BootswarmError } from '../src/errors.js'
import { buildAgent } from './build-agent.js'

try {
  buildAgent()
  const argv = process.argv.slice(2)
  const beside = argv.indexOf('--beside')
  const [, file] = beside >= 0 ? argv.splice(beside, 2) : []
  const defaults: [string, string][] = [
    ['--nodes', '5000'],
    ['--racks', '210'],
    ['--payload-mb', '130'],
    ['--link-mbit', '1000'],
    ['--piece-kib', '256'],
  ]
  const args = defaults.flatMap(([name, value]) => (argv.includes(name) ? [] : [name, value]))
  const found = simulate([...args, ...argv])
  if (!found) throw new BootswarmError('USAGE_INVALID', 'swarm-sim refused these arguments or found no end')
  process.stdout.write(`${JSON.stringify({ arguments: [...args, ...argv].join(' '), ...found }, null, 2)}\n`)
  if (file !== undefined) compare(file, Number(found.last_over_floor))
} catch (error) {
  if (!(error instanceof BootswarmError)) throw error
  process.stderr.write(`bootswarm: ${error.code}: ${error.message}\n`)
  process.exitCode = 1
}

/** The two must agree within 15 %. */
function compare(file: string, simulated: number): void {
  const real = JSON.parse(readFileSync(file, 'utf8')) as { last_over_floor: number | null; valid: boolean }
  const measured = real.last_over_floor ?? Number.NaN
  const apart = Math.abs(simulated / measured - 1)
  const verdict = apart <= 0.15 ? 'agree' : 'DISAGREE'
  const shown = `simulated ${simulated.toFixed(3)}, measured ${measured.toFixed(3)}`
  process.stdout.write(
    `${verdict}: ${shown}, ${(apart * 100).toFixed(1)} % apart${real.valid ? '' : ' (the measured run was processor-bound)'}\n`,
  )
  if (!(apart <= 0.15)) process.exitCode = 1
}
