import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { hangMs } from '../../support/limits.js'
import { checkout } from '../../support/scratch.js'
import type { BesideDnsmasq } from '../../support/tftp-beside-dnsmasq.js'

const run = promisify(execFile)

// How many packets and seconds a loss costs, chance and the machine decide: they are reported. When a block is sent again
// is decided without a network, in tftp-transfer.test.ts.
test('whole files arrive at 2 % loss, as from dnsmasq', { timeout: hangMs }, async (t) => {
  const namespace = process.getuid?.() === 0 ? ['-n'] : ['-r', '-n']
  const script = join(checkout, 'dist/test/support/tftp-beside-dnsmasq.js')
  const shell = `ip link set lo up && exec "${process.execPath}" "${script}"`
  const { stdout } = await run('unshare', [...namespace, 'sh', '-c', shell])
  const { packets, curl } = JSON.parse(stdout) as BesideDnsmasq
  for (const { server, windowsize, sent, lost, whole } of packets) {
    t.diagnostic(`${server}, window ${windowsize}: ${sent} packets, ${lost} of them lost`)
    assert.equal(whole, 8, `${server}, window ${windowsize}`)
    assert.ok(lost > 0)
  }
  for (const { server, seconds, whole } of curl) {
    t.diagnostic(`curl from ${server}, s: ${seconds.join(' ')}`)
    assert.equal(whole, 8, `curl from ${server}`)
  }
  assert.deepEqual([packets.length, curl.length], [4, 2])
})
