/** What npm puts between a service manager and the server. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { hangMs } from '../support/limits.js'
import { checkout, scratch } from '../support/scratch.js'

/** Stands in the server's place: says that it is there, and ends as asked. */
const server = `process.on('SIGTERM', () => { console.log('ended'); process.exit(0) })
setInterval(() => {}, 1000)
console.log(process.pid)
`

test('a SIGTERM to npm start reaches the server, which ends before npm does', {
  timeout: hangMs,
}, async (t) => {
  const directory = scratch(t)
  const { scripts } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as {
    scripts: { start: string }
  }
  const start = scripts.start.replace(/ --openssl-config=\S+/, '')
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ name: 'x', scripts: { start } }))
  mkdirSync(join(directory, 'scripts'))
  writeFileSync(join(directory, 'scripts', 'bootstrap.mjs'), server)
  const npm = spawn('npm', ['start', '--silent'], { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => npm.kill('SIGKILL'))
  let said = ''
  for await (const chunk of npm.stdout.setEncoding('utf8')) {
    said += chunk as string
    const [, pid] = /^(\d+)\n$/.exec(said) ?? []
    if (pid === undefined) continue
    t.after(() => {
      try {
        process.kill(Number(pid), 'SIGKILL')
      } catch {
        // It has ended, as it should.
      }
    })
    npm.kill('SIGTERM')
  }
  if (npm.exitCode === null && npm.signalCode === null) await once(npm, 'exit')
  assert.match(said, /^\d+\nended\n$/)
  assert.equal(npm.exitCode, 0)
})
