/** The real server on two network cards, each with a wire of its own, and real clients there. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { end, until } from '../../support/processes.js'
import { NetbootSite } from './support.js'

/** `lan0` is a bridge with many machines, `lan1` a link with one. */
function twoCards(t: Parameters<typeof NetbootSite.make>[0], netboot: string): NetbootSite | undefined {
  const place = NetbootSite.make(t, netboot)
  if (place === undefined) return undefined
  place.wire.client('other', '52:54:00:00:00:0f', 'lan1')
  place.wire.server('ip', 'address', 'add', '10.88.0.1/24', 'dev', 'lan1')
  return place
}

const pools = `[{subnet: 10.77.0.0/24, range: 10.77.0.100-10.77.0.160},
  {subnet: 10.88.0.0/24, range: 10.88.0.10-10.88.0.11}]`
const both = `{mode: full, interfaces: [lan0, lan1], pools: ${pools}}`

test('two cards, two pools: 40 machines of one take nothing of the other, and moving works', async (t) => {
  const place = twoCards(t, both)
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const { wire } = place
  wire.client('fleet', '52:54:00:00:00:fe')
  wire.run('fleet', 'ip', 'address', 'add', '10.77.0.200/24', 'dev', 'eth0')
  const server = await place.start('--log-level', 'debug')
  const storm = await place.storm('fleet', 40, 0)
  assert.deepEqual([storm.done, storm.addresses], [40, 40])
  await until('the leases', async () => place.leases() === 40 || undefined)
  // The netboot process says what it is asked for, no more.
  await server.line('dhcp.leased')
  const other = place.udhcpc('other')
  assert.match(other.ip ?? '', /^10\.88\.0\.1[01]$/)
  assert.equal(other.serverid, '10.88.0.1')
  // The same machine on the other wire: its old address is refused there, and it gets one of there.
  wire.client('moved', '52:54:00:00:00:0f')
  const moved = place.udhcpc('moved', '-r', other.ip ?? '')
  assert.match(moved.ip ?? '', /^10\.77\.0\./)
  assert.equal(moved.serverid, '10.77.0.1')
  await until('the counters', async () => {
    const dhcp = place.status(server).netboot.services.dhcp
    return dhcp?.acks === 42 && dhcp.exhausted === 0 ? true : undefined
  })
  assert.ok(!server.lines.some(({ code }) => code === 'DHCP_RIVAL' || code === 'DHCP_POOL_EXHAUSTED'))
})

test('office traffic on the card that is not served: no rival, no NAK, no address of ours', async (t) => {
  const place = twoCards(
    t,
    `{mode: full, interfaces: [lan0], pools: [{subnet: 10.77.0.0/24, range: 10.77.0.100-10.77.0.109}]}`,
  )
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const { wire } = place
  // A switch of the office, with its DHCP server and a PC.
  wire.run('other', 'ip', 'link', 'add', 'office0', 'type', 'bridge', 'forward_delay', '0')
  for (const port of ['eth0', 'office0']) wire.run('other', 'ip', 'link', 'set', port, 'up')
  wire.run('other', 'ip', 'link', 'set', 'eth0', 'master', 'office0')
  wire.run('other', 'ip', 'address', 'add', '10.88.0.2/24', 'dev', 'office0')
  wire.client('pc', '52:54:00:00:00:0c', 'port0', 'other')
  wire.run('other', 'ip', 'link', 'set', 'port0', 'master', 'office0')
  const range = ['--dhcp-range=10.88.0.100,10.88.0.110,1h', '--dhcp-authoritative']
  const files = [`--dhcp-leasefile=${place.site.dir}/office.leases`, '--pid-file=', '--conf-file=/dev/null']
  await place.background(t, 'other', 'dnsmasq', '--no-daemon', '--port=0', '--user=root', ...range, ...files)
  wire.client('farm', '52:54:00:00:00:0a')
  const server = await place.start()
  // Whatever DHCP a farm machine hears meanwhile.
  const [program = '', ...args] = wire.command('farm', 'tcpdump', '-i', 'eth0', '-n', '-l', 'udp port 68')
  const tcpdump = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => end(tcpdump, 'SIGKILL'))
  let heard = ''
  let isListening = false
  tcpdump.stdout.on('data', (chunk: Buffer) => (heard += chunk.toString()))
  tcpdump.stderr.on('data', (chunk: Buffer) => (isListening ||= chunk.includes('listening on')))
  await until('tcpdump', async () => isListening || undefined)
  // It asks for what it had elsewhere; the office's server refuses that, and gives it one of its own.
  const given = place.udhcpc('pc', '-r', '192.168.5.5')
  assert.deepEqual([given.serverid, given.ip?.startsWith('10.88.0.1')], ['10.88.0.2', true])
  assert.equal(heard, '')
  // A machine of the farm is served, and is the first that the server hears of.
  assert.equal(place.udhcpc('farm').serverid, '10.77.0.1')
  await until('the counters', async () => {
    const dhcp = place.status(server).netboot.services.dhcp
    return dhcp?.received === 2 && dhcp.naks === 0 && dhcp.acks === 1 ? true : undefined
  })
  await until('tcpdump hears of the farm', async () => heard.includes('10.77.0.1.67') || undefined)
  assert.ok(!server.lines.some(({ code }) => code === 'DHCP_RIVAL'))
})

test('a card that is replaced by another of its name and address is served on', async (t) => {
  const place = NetbootSite.make(t, both.replace('lan0, lan1', 'lan1'), 'user: nobody')
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const { wire } = place
  const namespace = wire.client('other', '52:54:00:00:00:0f', 'lan1')
  wire.server('ip', 'address', 'add', '10.88.0.1/24', 'dev', 'lan1')
  const server = await place.start()
  const before = place.udhcpc('other')
  // Between two looks of the server at its addresses.
  const steps = [
    'link del lan1',
    `link add name lan1 type veth peer name eth0 address 52:54:00:00:00:0f netns ${namespace}`,
    'link set lan1 up',
    'address add 10.88.0.1/24 dev lan1',
  ]
  const from = server.lines.length
  wire.server('sh', '-c', `printf '%s\\n' "$@" | ip -batch -`, 'sh', ...steps)
  wire.run('other', 'ip', 'link', 'set', 'eth0', 'up')
  await server.line('netboot.started', from)
  assert.equal(place.udhcpc('other').ip, before.ip)
})

test('a DHCP server of this machine on another card is no obstacle, on ours it is', async (t) => {
  const place = twoCards(
    t,
    '{mode: full, interfaces: [lan0], pools: [{subnet: 10.77.0.0/24, range: 10.77.0.100-10.77.0.109}]}',
  )
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const files = [`--dhcp-leasefile=${place.site.dir}/vm.leases`, '--pid-file=', '--conf-file=/dev/null']
  const common = [
    '--no-daemon',
    '--port=0',
    '--user=root',
    '--bind-interfaces',
    '--except-interface=lo',
    ...files,
  ]
  // As libvirt runs it for its bridge.
  const range = '--dhcp-range=10.88.0.100,10.88.0.110,1h'
  await place.background(t, 'server', 'dnsmasq', ...common, '--interface=lan1', range)
  place.wire.client('a', '52:54:00:00:00:0a')
  const first = await place.start()
  assert.equal(place.udhcpc('a').serverid, '10.77.0.1')
  assert.equal(place.udhcpc('other').serverid, '10.88.0.1')
  assert.equal(await first.kill('SIGTERM'), 0)
  await place.background(
    t,
    'server',
    'dnsmasq',
    ...common,
    '--interface=lan0',
    '--dhcp-range=10.77.0.5,10.77.0.9,1h',
  )
  const second = place.site.start('--address', '10.77.0.1')
  assert.equal(await second.exited, 1)
  assert.match(second.stderr, /ADDRESS_IN_USE.*UDP port 67 on lan0/)
})
