/**
 * A test that never ends, for cleanup.test.ts: a network, a machine and a program in it. Prints the ids of both. With an
 * argument the suite's deadline ends it, so many milliseconds after that.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { Site } from '../server/main/support.js'
import { startMachine } from '../support/machine.js'
import { Wire } from '../support/wire.js'
import { armDeadline, timed } from './deadline.js'

test('never ends', async (t) => {
  timed(t)
  const wire = Wire.make(t)
  if (wire === undefined) throw new Error('needs root')
  const machine = startMachine(t, { args: [], command: (...words) => wire.command('server', ...words) })
  const [program = '', ...args] = wire.command('server', 'sh', '-c', 'echo here; exec sleep 1000')
  // Its output is a pipe that somebody must read.
  const sleeper = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  await once(sleeper.stdout, 'data')
  const { dir } = new Site()
  process.stdout.write(`\nSTARTED ${machine.child.pid} ${sleeper.pid} ${dir} THE-END\n`)
  const [limitMs] = process.argv.slice(2)
  if (limitMs !== undefined) armDeadline(Number(limitMs))
  await new Promise(() => {})
})
