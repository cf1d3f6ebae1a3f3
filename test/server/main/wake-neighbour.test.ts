/** A machine on a network that the server has no address in is woken by a real agent that seeds there. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { magicPacket } from '../../../server/power/magic-packet.js'
import { askApi } from '../../support/operator-api.js'
import { startAgent, until } from '../../support/processes.js'
import { makeSite } from '../../support/test-site.js'
import { Wire } from '../../support/wire.js'
import { needsRoot } from './processes.js'
import { nonce, Site } from './support.js'

const mac = (n: number) => `52:54:00:00:00:0${n}`
const rack = '10.88.0.0/24'

/** What a card would see: the packets that come to UDP port 9, as hex. */
const listenerCode = `
const socket = require('node:dgram').createSocket('udp4')
socket.on('message', (packet) => console.log(packet.toString('hex')))
socket.bind(9, () => console.log('ready'))`

test('a booted node of the rack wakes what the server cannot reach', needsRoot, async (t) => {
  const wire = Wire.make(t) ?? assert.fail('needs root')
  for (const n of [1, 2]) {
    wire.client(`node${n}`, mac(n))
    wire.run(`node${n}`, 'ip', 'address', 'add', `10.88.0.${n}/24`, 'dev', 'eth0')
    wire.run(`node${n}`, 'ip', 'route', 'add', '10.77.0.0/24', 'dev', 'eth0')
  }
  wire.server('ip', 'route', 'add', '10.88.0.0/24', 'dev', 'lan0')
  const site = new Site('user: root\nnetboot: {mode: off, interfaces: [lan0]}\nseeding: {calm_s: 10}')
  t.after(() => site.end())
  makeSite(site.dir, 100_000)
  site.command = wire.command('server', ...site.command)
  const server = site.start('--address', '10.77.0.1')
  await server.line('catalog.published')
  const client = { dataDir: server.dataDir }
  const url = `https://10.77.0.1:${server.ports().https}`
  const begun = {
    ...{ boot: '00112233445566aa', seq: 0, t_ms: 0, type: 'boot.started' },
    data: { agent: '1.0', mem_total_bytes: 1e9 },
  }
  wire.run('node2', 'curl', '-sSfk', '-d', JSON.stringify([begun]), `${url}/v1/nodes/${mac(2)}/events`)
  const wake = async (body: object = {}) => {
    const asked = { kind: 'wake', nodes: [mac(2)], ...body }
    const answer = await askApi(client, 'POST', '/api/v1/actions', asked)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    return answer.body
  }
  const [alone] = (await wake({ dry_run: true })).nodes
  assert.match(alone.why, /no network of this server leads to it at 10\.88\.0\.2 .*no node of its rack seeds/)

  const [command = '', ...args] = wire.command('node2', process.execPath, '-e', listenerCode)
  const listener = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => listener.kill('SIGKILL'))
  const packets: string[] = []
  await new Promise<void>((resolve) =>
    createInterface(listener.stdout).on('line', (line) => {
      if (line === 'ready') resolve()
      else packets.push(line)
    }),
  )
  // While two nodes boot it is not calm, and agents that seed report every 10 s.
  const boot = (id: string) => {
    const query = `node=${id}&nonce=${nonce}&boot=00112233445566bb`
    wire.run('node2', 'curl', '-sSfk', '-o', '/dev/null', `${url}/v1/manifest?${query}`)
  }
  const storm = () => ['busy1', 'busy2'].forEach(boot)
  storm()
  const storming = setInterval(storm, 20_000)
  t.after(() => clearInterval(storming))
  const agent = startAgent(t, {
    ...{ node: mac(1), target: join(site.dir, 'root'), server: url, bind: '10.88.0.1' },
    trust: join(server.dataDir, 'trust'),
    through: wire.command('node1'),
  })
  await agent.event('boot.completed')
  await until('the seed', async () => {
    const [step] = (await wake({ dry_run: true })).nodes
    return step.method === `a node of rack ${rack}` ? true : undefined
  })
  const { id } = await wake()
  const [step] = await until('its end', async () => {
    const { body } = await askApi(client, 'GET', `/api/v1/actions/${id}`)
    return body.state === 'running' ? undefined : body.nodes
  })
  assert.deepEqual([step.state, step.method, step.why], ['done', `a node of rack ${rack}`, ''])
  await until('the packets', async () => (packets.length === 3 ? true : undefined))
  assert.deepEqual(packets, Array(3).fill(magicPacket(mac(2)).toString('hex')))
})
