/** A whole siege: in each round a storm without an attack, then one under each. */
import type { Undo } from '../storm/undo.js'
import { describeSiege, type SiegeResult, type Storms } from './result.js'
import type { SiegeRun } from './run.js'
import type { SiegeOptions } from './siege-options.js'
import { buildSiegeSite } from './siege-site.js'
import { stormUnder } from './siege-storm.js'

/**
 * Runs a siege. What it made is undone by `undo`, which the caller also runs when interrupted.
 * @throws {BootswarmError} STORM_UNSUPPORTED, STORM_FAILED
 */
export async function runSiege(
  options: SiegeOptions,
  agent: string,
  undo: Undo,
  say: (line: string) => void,
): Promise<SiegeResult> {
  const site = await buildSiegeSite(options, undo, say)
  const calm: SiegeRun[] = []
  const attacked = new Map<string, SiegeRun[]>(options.attacks.map(({ name }) => [name, []]))
  for (let round = 1; round <= options.repeat; round += 1) {
    say(`round ${round} of ${options.repeat}`)
    const common = () => ({ site, options, agent, calm: calm[0]?.processes ?? [] })
    const peace = await stormUnder(common(), [], undo)
    calm.push(peace)
    say(line('no attack', peace))
    for (const { name, attacks } of options.attacks) {
      const run = await stormUnder(common(), attacks, undo)
      attacked.get(name)?.push(run)
      say(line(name, run))
    }
  }
  const storms = options.attacks.map(
    ({ name, about }): Storms => ({ name, about, runs: attacked.get(name) ?? [] }),
  )
  return describeSiege(options, site.payload.bytes, { name: 'none', about: 'no attack', runs: calm }, storms)
}

/** A storm in a line, for who watches. */
function line(name: string, run: SiegeRun): string {
  const took = run.stormS === null ? `${run.failed} nodes failed` : `${run.stormS.toFixed(1)} s`
  const phases = Object.entries(run.phasesS).map(([phase, s]) => `${phase} ${s?.toFixed(1) ?? '-'}`)
  const processes = run.processes.map(({ name: process, peak, after }) => {
    const state = after === null ? 'ENDED' : `${peak.rssMb.toFixed(0)} MB`
    return `${process} ${state} ${peak.descriptors} fds`
  })
  const back =
    run.backS === null
      ? `not back: ${run.kept.map(({ text }) => text).join(', ')}`
      : `back after ${run.backS.toFixed(1)} s`
  const late = run.lateNodeS === null ? 'late node failed' : `late node ${run.lateNodeS.toFixed(1)} s`
  const origin = run.originS === null ? ', origin silent' : ''
  return `  ${name}: ${took} (${phases.join(', ')}); ${processes.join(', ')}; ${back}; ${late}${origin}; ${JSON.stringify(run.did)}${run.daemonEnded === null ? '' : `\n${run.daemonEnded}`}`
}
