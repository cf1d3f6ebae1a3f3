import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { packingOf, readPlain } from '../../archive/cpio-scan.js'
import { fuzzed } from '../fuzz.js'
import { scratch } from '../support/scratch.js'

test('what cpio writes is read, archive after archive; cut and mutated ones end without an error', (t) => {
  const dir = scratch(t)
  for (const [name, text] of [
    ['a', ''],
    ['longer-name', 'text'],
    ['x', 'yz'],
  ] as const)
    writeFileSync(join(dir, name), text)
  const bytes = execFileSync('sh', ['-c', 'ls | cpio --quiet -o -H newc'], { cwd: dir })
  const twice = readPlain(Buffer.concat([bytes, bytes, Buffer.from([0x1f, 0x8b])]))
  assert.deepEqual(
    twice.members.map(({ name, data }) => `${name}=${data}`),
    ['a=', 'longer-name=text', 'x=yz', 'a=', 'longer-name=text', 'x=yz'],
  )
  assert.equal(packingOf(twice.rest), 'gzip')
  assert.match(readPlain(bytes.subarray(0, 150)).damage ?? '', /cut short/)
  for (const junk of fuzzed(bytes, 5, 2000)) readPlain(junk)
})
