/** Addresses that come while machines boot: what has nothing to do with them goes on. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { end } from '../../support/processes.js'
import { checkout } from '../../support/scratch.js'
import { NetbootSite } from './support.js'

const program = randomBytes(3_000_000)
const sha256 = createHash('sha256').update(program).digest('hex')

function make(t: TestContext, netboot: string, extra: string): NetbootSite | undefined {
  const place = NetbootSite.make(t, netboot, extra)
  if (place === undefined) return undefined
  const { site, wire } = place
  mkdirSync(join(site.dir, 'ipxe'), { recursive: true })
  writeFileSync(join(site.dir, 'ipxe', 'undionly.kpxe'), program)
  wire.client('a', '52:54:00:00:00:01')
  wire.run('a', 'ip', 'address', 'add', '10.77.0.20/24', 'dev', 'eth0')
  return place
}

/** A transfer to the client `a` that runs until it is hurried; resolves when it has begun. */
async function slowTransfer(t: TestContext, { wire }: NetbootSite): Promise<{ hurry(): Promise<string> }> {
  const script = join(checkout, 'dist/test/support/slow-tftp.js')
  const args = [script, '10.77.0.1', 'undionly.kpxe']
  const [command = '', ...rest] = wire.command('a', process.execPath, ...args)
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => end(child, 'SIGKILL'))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  assert.equal((await lines.next()).value, 'began')
  return {
    hurry: async () => {
      child.stdin.write('\n')
      return (await lines.next()).value
    },
  }
}

for (const user of ['nobody', 'root']) {
  test(`another interface gets an address: it is served, and a transfer survives that (user ${user})`, async (t) => {
    const pools = `[{subnet: 10.77.0.0/24, range: 10.77.0.100-10.77.0.110},
      {subnet: 10.78.0.0/24, range: 10.78.0.5-10.78.0.9}]`
    const place = make(t, `{mode: full, ipxe_dir: ipxe, pools: ${pools}}`, `user: ${user}`)
    if (place === undefined) return t.skip('NOT TESTED: needs root')
    const { wire } = place
    const server = await place.start()
    wire.client('b', '52:54:00:00:00:02')
    const before = place.udhcpc('b')
    const transfer = await slowTransfer(t, place)
    for (const [index, address] of ['10.78.0.1', '10.78.0.2'].entries()) {
      const from = server.lines.length
      if (index === 0) wire.client('c', '52:54:00:00:00:03', 'other0')
      else wire.server('ip', 'address', 'del', '10.78.0.1/24', 'dev', 'other0')
      wire.server('ip', 'address', 'add', `${address}/24`, 'dev', 'other0')
      await server.line('netboot.interfaces-changed', from)
      await server.line('netboot.started', from)
      const given = place.udhcpc('c')
      assert.deepEqual([given.serverid, given.ip?.slice(0, 8)], [address, '10.78.0.'])
      assert.equal(place.udhcpc('b').ip, before.ip)
    }
    assert.equal(await transfer.hurry(), sha256)
    assert.ok(!server.lines.some(({ event }) => event === 'netboot.exited'))
    assert.equal(await server.kill('SIGTERM'), 0)
    assert.equal(wire.server('ss', '-Hlnu', 'sport = :67 or sport = :69'), '')
  })
}

test('an address that has nothing to do with network boot changes nothing there', async (t) => {
  const place = make(t, '{mode: proxy, interfaces: [lan0], ipxe_dir: ipxe}', 'user: nobody')
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const { wire } = place
  const server = await place.start()
  const owner = place.ownerOf(69)
  wire.client('c', '52:54:00:00:00:03', 'other0')
  wire.server('ip', 'address', 'add', '10.78.0.1/24', 'dev', 'other0')
  await server.line('server.addresses-changed')
  await server.line('server.certificate-renewed')
  assert.equal(place.ownerOf(69), owner)
  assert.ok(!server.lines.some(({ event }) => event === 'netboot.interfaces-changed'))
})
