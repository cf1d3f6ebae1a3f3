import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCommand } from '../../../server/power/command.js'
import { until } from '../../support/processes.js'
import { scratch } from '../../support/scratch.js'
import { isAlive } from '../main/processes.js'

const never = new AbortController().signal
const shell = (script: string, ...args: string[]) => ({ argv: ['/bin/sh', '-c', script, 'sh', ...args] })

test('0 is done; anything else is the reason, with its last words', async () => {
  await runCommand(shell('echo fine'), never)
  const failures: readonly (readonly [string, RegExp])[] = [
    ['echo one; echo two >&2; echo "  three  " >&2; exit 3', /^exit code 3: three$/],
    ['echo only here; exit 1', /^exit code 1: only here$/],
    ['exit 7', /^exit code 7$/],
    ['kill -TERM $$', /^SIGTERM$/],
  ]
  for (const [script, message] of failures)
    await assert.rejects(runCommand(shell(script), never), { message }, script)
  await assert.rejects(runCommand({ argv: ['/no/such/program'] }, never), /ENOENT/)
  await assert.rejects(runCommand({ argv: ['/etc/passwd'] }, never), /EACCES/)
})

test('it gets its words as they are, a clean environment, no root rights and nothing to read', async (t) => {
  const file = join(scratch(t), 'said')
  writeFileSync(file, '', { mode: 0o666 })
  // Whatever the umask.
  chmodSync(file, 0o666)
  chmodSync(join(file, '..'), 0o755)
  const script = 'printf "%s|" "$@" > "$1"; { id -u; pwd; cat; env | sort; } >> "$1"'
  process.env.BOOTSWARM_TEST_SECRET = 'secret'
  t.after(() => {
    delete process.env.BOOTSWARM_TEST_SECRET
  })
  await runCommand({ ...shell(script, file, '$(id); `id`', '*'), env: { EXTRA: 'x' } }, never)
  const [words, ...lines] = readFileSync(file, 'utf8').split('\n')
  const uid = process.getuid?.() === 0 ? '65534' : String(process.getuid?.())
  assert.equal(words, `${file}|$(id); \`id\`|*|${uid}`)
  assert.equal(lines[0], '/')
  const env = lines.slice(1).filter((line) => line !== '' && !/^(_|PWD|OLDPWD|SHLVL)=/.test(line))
  assert.deepEqual(env, [
    'EXTRA=x',
    'LANG=C.UTF-8',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  ])
})

test('one that hangs is killed with all that it started, and so is what one leaves behind', async (t) => {
  const directory = scratch(t)
  chmodSync(directory, 0o777)
  const pidFile = join(directory, 'pid')
  const hangs = { ...shell('sleep 1000 & echo $! > "$1"; wait', pidFile), timeoutMs: 2000 }
  await assert.rejects(runCommand(hangs, never), /^Error: it did not end within 2 s$/)
  const gone = () =>
    until('the process to be gone', async () =>
      isAlive(Number(readFileSync(pidFile, 'utf8'))) ? undefined : true,
    )
  if (existsSync(pidFile)) await gone()
  await runCommand(shell('sleep 1000 & echo $! > "$1"', pidFile), never)
  await gone()
})

test('megabytes of output are read and dropped, but for the end', async () => {
  const loud = 'head -c 50000000 /dev/zero | tr "\\0" x; head -c 5000000 /dev/zero | tr "\\0" y >&2; exit 1'
  await assert.rejects(runCommand(shell(loud), never), (error: Error) => {
    assert.equal(error.message, `exit code 1: ${'y'.repeat(200)}`)
    return true
  })
})

test('it ends with the server', async () => {
  const aborter = new AbortController()
  const running = runCommand(shell('sleep 1000'), aborter.signal)
  aborter.abort()
  await assert.rejects(running, /the server ended/)
  await assert.rejects(runCommand(shell('true'), aborter.signal), /abort/i)
})
