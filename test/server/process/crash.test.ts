import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { crashExitCode } from '../../../server/process/crash.js'
import { hangMs } from '../../support/limits.js'

test('an error that nothing has caught goes to the log, and the process ends with a code of its own', () => {
  const directory = new URL('../../../server/process', import.meta.url).pathname
  for (const how of ['throw error', 'return Promise.reject(error)']) {
    const script = `
      const { createLog } = await import(process.argv[1] + '/log.js')
      const { logCrash } = await import(process.argv[1] + '/crash.js')
      logCrash(createLog({ level: 'error', format: 'json', isTerminal: false }))
      const error = new Error('nobody expected this')
      setTimeout(() => { ${how} })
      setInterval(() => {}, 1000)`
    const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script, directory], {
      encoding: 'utf8',
      timeout: hangMs,
    })
    assert.equal(ended.status, crashExitCode, ended.stderr)
    const line = JSON.parse(ended.stdout) as { event: string; code: string; level: string; msg: string }
    assert.equal(line.event, 'server.crashed')
    assert.equal(line.code, 'INTERNAL')
    assert.equal(line.level, 'fatal')
    assert.match(line.msg, /nobody expected this/)
  }
})
