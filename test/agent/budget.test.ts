/** What every node pays before anything can be shared: the agent's size. Memory is held in test/boot. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { agentPath } from '../../host/agent-binary.js'

const compressedBytesMax = 1_200_000

test(`the agent is at most ${compressedBytesMax} bytes with xz -9`, () => {
  const compressed = execFileSync('xz', ['-9', '--stdout', agentPath()], { maxBuffer: 1 << 26 })
  assert.ok(compressed.length <= compressedBytesMax, `${compressed.length} bytes`)
})

test('the agent needs no library of its host', () => {
  const headers = execFileSync('readelf', ['--program-headers', '--dynamic', agentPath()], {
    encoding: 'utf8',
  })
  assert.doesNotMatch(headers, /INTERP|NEEDED/)
})
