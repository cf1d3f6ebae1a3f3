/** How stage 1 learns that its agent was killed: the process that waits ends as the shell has it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { agentPath } from '../../host/agent-binary.js'
import { until } from '../support/processes.js'
import { scratch } from '../support/scratch.js'

test('boot --background whose agent is killed ends with 128 and the signal', async (t) => {
  const dir = scratch(t)
  copyFileSync('test/vectors/tls/ca.pem', join(dir, 'ca.pem'))
  writeFileSync(join(dir, 'manifest.pub'), `${Buffer.alloc(32, 1).toString('base64')}\n`)
  writeFileSync(join(dir, 'cmdline'), '')
  const place = ['--trust', dir, '--cmdline', join(dir, 'cmdline'), '--target', join(dir, 'root')]
  // Nobody listens there: it tries again and again.
  const words = ['boot', '--background', '--server', 'https://127.0.0.1:1', '--node', 'n1', ...place]
  const waiting = spawn(agentPath(), words, { stdio: 'ignore' })
  const ended = new Promise((resolve) => waiting.once('exit', (code, signal) => resolve({ code, signal })))
  const agent = await until('the agent', async () => {
    const children = readFileSync(`/proc/${waiting.pid}/task/${waiting.pid}/children`, 'utf8')
    return Number(children.trim()) || undefined
  })
  process.kill(agent, 'SIGKILL')
  assert.deepEqual(await ended, { code: 137, signal: null })
})
