import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { checkout } from '../../support/scratch.js'
import type { BesideDnsmasq } from '../../support/tftp-beside-dnsmasq.js'

const run = promisify(execFile)

test('needs at most 1.2 times the packets of dnsmasq at 2 % loss', async (t) => {
  const namespace = process.getuid?.() === 0 ? ['-n'] : ['-r', '-n']
  const script = join(checkout, 'dist/test/support/tftp-beside-dnsmasq.js')
  const shell = `ip link set lo up && exec "${process.execPath}" "${script}"`
  const { stdout } = await run('unshare', [...namespace, 'sh', '-c', shell])
  const { packets, curl } = JSON.parse(stdout) as BesideDnsmasq
  for (const { server, seconds } of curl) t.diagnostic(`curl from ${server}, s: ${seconds.join(' ')}`)
  for (const windowsize of [1, 16]) {
    const [ours, theirs] = (['bootswarm', 'dnsmasq'] as const).map(
      (name) =>
        packets.find((result) => result.server === name && result.windowsize === windowsize)?.packets ?? 0,
    )
    assert.ok(ours && theirs && ours <= theirs * 1.2, `window ${windowsize}: ${ours} beside ${theirs}`)
  }
})
