/** A test that never ends, for cleanup.test.ts: a network, a machine and a program in it. Prints the ids of both. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { startMachine } from '../support/machine.js'
import { Wire } from '../support/wire.js'

test('never ends', async (t) => {
  const wire = Wire.make(t)
  if (wire === undefined) throw new Error('needs root')
  const machine = startMachine(t, { args: [], command: (...words) => wire.command('server', ...words) })
  const [program = '', ...args] = wire.command('server', 'sh', '-c', 'echo here; exec sleep 1000')
  // Its output is a pipe that somebody must read.
  const sleeper = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  await once(sleeper.stdout, 'data')
  process.stdout.write(`\nSTARTED ${machine.child.pid} ${sleeper.pid} THE-END\n`)
  await new Promise(() => {})
})
