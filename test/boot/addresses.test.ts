/** The server's addresses change while it runs: certificate, manifests, scripts and LSD follow, and agents boot. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { type Daemon, mainFile, Site } from '../server/main/support.js'
import { end, startAgent, until } from '../support/processes.js'
import { checkout } from '../support/scratch.js'
import { makeSite } from '../support/test-site.js'
import { Wire } from '../support/wire.js'

test('a server that starts without an address, gets one, and then another: agents boot each time', async (t) => {
  const wire = Wire.make(t)
  if (wire === undefined) return t.skip('NOT TESTED: needs root')
  wire.server('ip', 'address', 'flush', 'dev', 'lan0')
  wire.client('a', '52:54:00:00:00:01')
  wire.run('a', 'ip', 'address', 'add', '10.77.0.20/24', 'dev', 'eth0')
  const site = new Site()
  t.after(() => site.end())
  site.command = wire.command('server', process.execPath, mainFile)
  makeSite(site.dir, 1_000_000)
  const server = site.start('--address', 'auto', '--lsd-enabled')
  assert.match(
    (await server.line('server.ready')).msg,
    /Nodes can boot when a network interface has an address/,
  )
  await server.line('catalog.published')

  const addresses = ['10.77.0.1', '10.77.0.2', '10.77.0.3']
  const heard = listen(t, wire, server, addresses)
  for (const [index, address] of addresses.entries()) {
    const from = server.lines.length
    wire.server('ip', 'address', 'flush', 'dev', 'lan0')
    wire.server('ip', 'address', 'add', `${address}/24`, 'dev', 'lan0')
    const renewed = await server.line('server.certificate-renewed', from)
    assert.match(renewed.msg, new RegExp(address))
    assert.match((await server.line('server.addresses-changed', from)).msg, new RegExp(`https://${address}:`))
    const target = join(site.dir, 'nodes', String(index))
    mkdirSync(target, { recursive: true })
    const agent = startAgent(t, {
      node: `node${index}`,
      target,
      server: `https://${address}:${server.ports().https}`,
      trust: join(site.data, 'trust'),
      bind: '10.77.0.20',
      flags: ['--exit-after-boot'],
      through: wire.command('a'),
    })
    await agent.event('boot.completed')
    for (const where of ['lsd', 'dht'])
      await until(
        `${where} at ${address}`,
        async () => heard.includes(`${where} ${address}`) || undefined,
        300_000,
      )
  }
})

/** What the client `a` hears of the seeder's addresses (swarm-listener.ts). */
function listen(t: TestContext, wire: Wire, server: Daemon, addresses: readonly string[]): string[] {
  const { http, dht } = server.ports()
  const status = JSON.parse(
    wire.server('curl', '--silent', '--fail', `http://127.0.0.1:${http}/v1/status`),
  ) as { artifacts: { infohash: string }[] }
  const infohash = status.artifacts[0]?.infohash ?? assert.fail('no artifact')
  const script = join(checkout, 'dist/test/support/swarm-listener.js')
  const args = [script, '10.77.0.20', String(dht), infohash, ...addresses]
  const [program = '', ...rest] = wire.command('a', process.execPath, ...args)
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => end(child, 'SIGKILL'))
  const heard: string[] = []
  createInterface(child.stdout).on('line', (line) => heard.push(line))
  return heard
}
