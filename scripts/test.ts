/**
 * `npm test`: sets up what is missing and runs everything that scripts/test/suite.ts lists, one step after the other.
 * `npm test -- --help` says how to run less of it.
 */
import { existsSync } from 'node:fs'
import { relative } from 'node:path'
import { agentPath, root } from '../host/agent-binary.js'
import { ensureTools } from '../host/tools.js'
import { BootswarmError } from '../src/errors.js'
import { buildAgent, buildSimulator } from './build-agent.js'
import { type Choice, choose, usage } from './test/choose.js'
import { type Load, startLoad } from './test/load.js'
import { failureLines, type Outcome, reportLines, totals } from './test/report.js'
import { runStep } from './test/steps.js'
import { type SuiteStep, suite } from './test/suite.js'

const say = (line: string) => process.stdout.write(`${line}\n`)
let load: Load | undefined

try {
  const steps = suite()
  const choice = choose(
    process.argv.slice(2),
    steps.map(({ name }) => name),
  )
  if (choice.mode === 'help') process.stdout.write(usage)
  else if (choice.mode === 'list') list(steps)
  else await run(steps, choice)
} catch (error) {
  if (!(error instanceof BootswarmError)) throw error
  say(`${error.code}: ${error.message}\n\n0 passed, 1 failed`)
  process.exitCode = 1
} finally {
  load?.stop()
}

function list(steps: readonly SuiteStep[]): void {
  for (const { name, about, quick } of steps)
    say(
      `${name.padEnd(13)} ${about}${quick === undefined ? '' : quick.leavesOut.length === 0 ? ' (quick)' : ' (quick: in part)'}`,
    )
}

async function run(steps: readonly SuiteStep[], choice: Choice): Promise<void> {
  const chosen = steps
    .filter(({ name, quick }) => choice.names.includes(name) && (!choice.quick || quick !== undefined))
    .map((step) => (choice.quick && step.quick ? { ...step, command: step.quick.command } : step))
  // A contributor's machine may have none of what only the other steps need; and `quick` starts no agent.
  ensureTools(chosen.flatMap(({ tools }) => tools))
  if (chosen.some(({ agent }) => agent) && !(choice.quick && existsSync(agentPath()))) {
    buildAgent()
    buildSimulator()
  }
  if (choice.loaded) {
    load = startLoad()
    say(`loaded: ${load.pids.length} busy loops beside the tests`)
  }
  const outcomes: Outcome[] = []
  for (let round = 1; round <= choice.repeat; round++) {
    for (const step of chosen) {
      const outcome = await runStep(step)
      outcomes.push(choice.repeat === 1 ? outcome : { ...outcome, name: `${outcome.name} (${round})` })
      if (outcome.count.skipped > 0) say(`${outcome.count.skipped} skipped: counted as failed`)
    }
  }
  say('')
  for (const line of reportLines(outcomes, (file) => relative(root, file))) say(line)
  if (choice.quick) sayLeftOut(steps)
  for (const line of failureLines(outcomes)) say(line)
  const { passed, failed, broken } = totals(outcomes)
  if (broken.length > 0) say(`\nfailed: ${broken.join(', ')}`)
  say(`\n${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}

function sayLeftOut(steps: readonly SuiteStep[]): void {
  say('\nquick did not run:')
  for (const { name, about, quick } of steps) {
    if (quick === undefined) say(`  ${name}: ${about}`)
    else for (const what of quick.leavesOut) say(`  of ${name}: ${what}`)
  }
}
