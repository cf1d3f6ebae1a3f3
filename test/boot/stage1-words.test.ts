/** What stage 1's own script in busybox says on a console, which is a file here. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkout } from '../support/scratch.js'

test('a line on the console is one of printable characters, whatever it quotes', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'bootswarm-words-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const words = join(checkout, 'image', 'stage1', 'words')
  const say = (text: string) => {
    const console = join(dir, 'console')
    const drive = '. "$1"; consoles="../$2"; say "DHCP: could not set" "$3"'
    execFileSync('busybox', ['sh', '-c', drive, 'sh', words, console, text])
    return readFileSync(console, 'latin1')
  }
  assert.equal(say('MTU of 70000'), 'bootswarm: DHCP: could not set MTU of 70000\n')
  assert.equal(
    say('\u001b]0;x\u0007\u001b[2J\nbootswarm: forged\r\u009b\\033[1m %s'),
    'bootswarm: DHCP: could not set ?]0;x??[2J?bootswarm: forged???\\033[1m %s\n',
  )
  assert.equal(say('x'.repeat(100_000)).length, 501)
})
