/** What the doctor says of rules, held against what the kernel does with packets. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { end, until } from '../../support/processes.js'
import { Clinic } from '../support.js'

const base = 'add table inet f\nadd chain inet f in { type filter hook input priority 0; policy drop; }\n'
const rule = (text: string) => `add rule inet f in ${text}\n`

/** Rules, and the ports that their author meant to let through. */
const cases: readonly { name: string; nft?: string; iptables?: readonly string[] }[] = [
  { name: 'policy drop, nothing allowed', nft: base + rule('ct state established,related accept') },
  {
    name: 'a list of ports',
    nft: base + rule('iifname "lan*" udp dport { 67, 69 } accept') + rule('tcp dport 8000-8500 accept'),
  },
  {
    name: 'the wrong interface',
    nft: base + rule('iifname "eth7" accept') + rule('udp dport != 4011 accept'),
  },
  {
    name: 'a chain that returns, and a named set',
    nft:
      'add table inet f\nadd chain inet f in { type filter hook input priority 0; policy accept; }\nadd chain inet f c\n' +
      'add set inet f p { type inet_service; flags interval; elements = { 4000-4100, 8480 } }\n' +
      rule('meta l4proto udp jump c') +
      'add rule inet f c udp dport 69 return\nadd rule inet f c udp dport @p drop\n' +
      rule('tcp dport @p reject'),
  },
  { name: 'sources', nft: base + rule('ip saddr 10.77.0.0/24 accept') },
  {
    name: 'a verdict map',
    nft:
      base +
      rule('udp dport vmap { 67 : accept, 69 : drop }') +
      rule('ip daddr 10.77.0.1 tcp dport 8443 accept'),
  },
  {
    name: 'iptables',
    iptables: [
      '-P INPUT DROP',
      '-A INPUT -i lan+ -p udp -m multiport --dports 67,4011 -j ACCEPT',
      '-A INPUT ! -s 10.78.0.0/16 -p tcp --dport 8480 -j ACCEPT',
    ],
  },
  {
    name: 'iptables, REJECT',
    iptables: [
      '-A INPUT -p udp --dport 69 -j REJECT',
      '-A INPUT -p tcp --dport 8443 -m conntrack --ctstate NEW -j DROP',
    ],
  },
]
const udp = [67, 69, 4011]
const tcp = [8480, 8443]

const listener = `
const dgram = require('dgram'), net = require('net')
const say = (text) => console.log(text)
const sockets = [
  ...[${udp}].map((port) => dgram.createSocket('udp4').on('message', (m) => String(m) === 'x' && say('udp ' + port)).bind(port)),
  ...[${tcp}].map((port) => net.createServer((s) => { say('tcp ' + port); s.on('error', () => {}); s.destroy() }).listen(port)),
]
process.stdin.on('end', () => process.exit())
// What was sent before is in the sockets: two turns of the loop read it.
process.stdin.on('data', () => setImmediate(() => setImmediate(() => say('settled'))))
let open = ${udp.length + tcp.length}
const opened = () => { if (--open === 0) say('ready') }
for (const socket of sockets) socket.once('listening', opened)`

/** Sends to all ports as nodes do. */
const sender = `
const dgram = require('dgram'), net = require('net')
const socket = dgram.createSocket('udp4')
socket.bind(() => {
  socket.setBroadcast(true)
  for (const port of [${udp}]) socket.send('x', port, '10.77.0.1')
})
let open = ${tcp.length}
for (const port of [${tcp}]) {
  const done = () => { if (--open === 0) socket.close() }
  const s = net.connect({ port, host: '10.77.0.1' }).setTimeout(400, () => s.destroy()).on('error', () => {}).on('close', done)
}`

test('the doctor says of each port what the kernel does with it', async (t) => {
  const clinic = Clinic.make(t)
  if (clinic === undefined) return t.skip('NOT TESTED: needs root')
  const { wire, site } = clinic.place
  const [program = '', ...args] = wire.command('server', process.execPath, '-e', listener)
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => end(child, 'SIGKILL'))
  const came: string[] = []
  const lines = createInterface(child.stdout)
  await once(lines, 'line')
  lines.on('line', (line) => came.push(line))
  for (const { name, nft, iptables } of cases) {
    wire.server('nft', 'flush', 'ruleset')
    if (nft !== undefined) {
      const file = join(site.dir, 'rules.nft')
      writeFileSync(file, nft)
      wire.server('nft', '-f', file)
    }
    for (const line of iptables ?? []) wire.server('iptables', ...line.split(' '))
    came.length = 0
    wire.run('site', process.execPath, '-e', sender)
    child.stdin.write('?')
    await until('all to be read', async () => came.includes('settled') || undefined)
    const diagnosis = await clinic.doctor(
      '--check',
      'firewall',
      '--http-port',
      '8480',
      '--https-port',
      '8443',
    )
    const said = diagnosis.findings
      .filter(({ code }) => code === 'FIREWALL_DROPS')
      .map(({ seen }) => seen)
      .join('\n')
    assert.equal(diagnosis.of('FIREWALL_MAY_DROP'), undefined, name)
    const expectations = [
      ...udp.map((port) => ['udp', port] as const),
      ...tcp.map((port) => ['tcp', port] as const),
    ]
    for (const [proto, port] of expectations) {
      // A DISCOVER comes from 0.0.0.0 to all, which the datagram of this test does not.
      if (port === 67 && name === 'sources') continue
      const passes = came.some((line) => line.startsWith(`${proto} ${port}`))
      const drops = said.includes(`${proto.toUpperCase()} ${port} (`)
      assert.equal(drops, !passes, `${name}: ${proto} ${port}; came ${came.join(', ')}; said ${said}`)
    }
    if (name === 'sources') assert.match(said, /UDP 67 \(DHCP\)/)
  }
})

test('a bridge that Docker’s policy cuts: machines on it do not reach each other, and the doctor says so', async (t) => {
  const clinic = Clinic.make(t)
  if (clinic === undefined) return t.skip('NOT TESTED: needs root')
  const { wire } = clinic.place
  wire.client('other', '52:54:00:00:00:bb')
  wire.run('other', 'ip', 'address', 'add', '10.77.0.3/24', 'dev', 'eth0')
  const ping = () => wire.run('site', 'busybox', 'ping', '-c', '1', '-W', '1', '10.77.0.3')
  wire.server('sh', '-c', 'echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables')
  wire.server('iptables', '-P', 'FORWARD', 'DROP')
  assert.throws(ping)
  const cut = await clinic.doctor('--check', 'firewall')
  assert.match(cut.of('BRIDGE_FILTERED')?.seen ?? '', /bridge lan0 .* drops them/)
  wire.server(
    ...((cut.of('BRIDGE_FILTERED')?.remedy ?? '').split(', or')[0]?.replace('sudo ', '').split(' ') ?? []),
  )
  ping()
  assert.equal((await clinic.doctor('--check', 'firewall')).of('BRIDGE_FILTERED'), undefined)
})

test('the commands that the doctor names open the firewall: nft and iptables', async (t) => {
  const clinic = Clinic.make(t)
  if (clinic === undefined) return t.skip('NOT TESTED: needs root')
  const { wire, site } = clinic.place
  const examine = () => clinic.doctor('--check', 'firewall', '--http-port', '8480', '--https-port', '8443')
  const closed = {
    nft: `${base}add chain inet f out { type filter hook output priority 0; policy drop; }\n`,
    iptables: 'iptables -P INPUT DROP; iptables -P OUTPUT DROP',
  }
  for (const tool of ['nft', 'iptables'] as const) {
    wire.server('nft', 'flush', 'ruleset')
    const file = join(site.dir, 'closed')
    writeFileSync(file, closed[tool])
    wire.server(...(tool === 'nft' ? ['nft', '-f', file] : ['sh', file]))
    const remedies = (await examine()).findings
      .filter(({ code }) => code === 'FIREWALL_DROPS')
      .map(({ remedy }) => remedy.split(', and the same')[0]?.replace('sudo ', '') ?? '')
    assert.ok(
      remedies.length === 4 && remedies.every((remedy) => remedy.startsWith(tool)),
      remedies.join('\n'),
    )
    for (const remedy of remedies) wire.server(...remedy.split(' '))
    const open = await examine()
    assert.deepEqual(
      open.codes().filter((code) => code.startsWith('FIREWALL')),
      [],
      JSON.stringify(open.findings),
    )
  }
})
