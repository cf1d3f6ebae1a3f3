/** When a node that cannot boot restarts itself: stage 1's own script in busybox, its clock and its restart replaced. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { machineHangMs } from '../support/limits.js'
import { checkout } from '../support/scratch.js'

const limit = { timeout: machineHangMs }

/** Fails for two hours of its own clock, and prints the seconds after which it would restart. */
const drive = `
. "$1"
say() { :; }
get_time() { :; }
enter_within() { now=$((now + $1)); return 1; }
reboot() { echo "restart $now"; exit 0; }
ping() { return 0; }
nc() { busybox nc "$@"; }
hexdump() { busybox hexdump "$@"; }
now=0 reason='as tested' failure='' failing_since='' consoles='' restarts="$3" server=127.0.0.1 server_port="$2"
while [ "$now" -lt 7200 ]; do rescue; done
echo none
`

async function rescued(port: number, restarts: string): Promise<string> {
  const words = join(checkout, 'image', 'stage1', 'words')
  const args = ['sh', '-c', drive, 'sh', words, String(port), restarts]
  const { stdout } = await promisify(execFile)('busybox', args)
  return stdout.trim()
}

test(
  'a node restarts after half an hour to an hour of failures, if its server runs and nobody forbids it',
  limit,
  async (t) => {
    const server = createServer((socket) => socket.on('error', () => {}).destroy())
    t.after(() => server.close())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const [, seconds] = /^restart (\d+)$/.exec(await rescued(port, 'yes')) ?? []
    // The last wait before it is 10 minutes at most.
    assert.ok(Number(seconds) >= 1800 && Number(seconds) <= 4200, String(seconds))
    assert.equal(await rescued(port, ''), 'none')
    await new Promise((resolve) => server.close(resolve))
    assert.equal(await rescued(port, 'yes'), 'none')
  },
)
