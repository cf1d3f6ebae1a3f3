import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StoredMachine } from '../../../server/store/store.js'
import { Machines } from '../../../server/timeline/machines.js'
import { NODES_KNOWN_MAX, NODES_UNKNOWN_MAX } from '../../../src/limits.js'
import type { EventSource, Fact, FactData, FactType } from '../../../src/timeline.js'

const mac = '52:54:00:00:00:01'
const [agentBoot, nextAgentBoot] = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb']

function place(nodes: readonly string[] = []) {
  let boots = 0
  const machines = new Machines({
    isNode: (id) => nodes.includes(id),
    isKnown: (id) => nodes.includes(id),
    newBoot: () => `boot ${++boots}`,
  })
  const clock = { ms: 1000 }
  const say = (type: FactType, data: FactData = {}, more: Partial<Fact> = {}) => {
    const source: EventSource = type.startsWith('dhcp.') ? 'dhcp' : 'http'
    return machines.ofFact({ source, type, mac, data, ...more }, clock.ms)
  }
  const discover = (client: string, of = mac) =>
    say('dhcp.seen', { client, message: 'discover' }, { mac: of })?.boot
  const agent = (node: string, boot: string, address = '10.0.0.1') =>
    machines.ofAgent(node, boot, address, clock.ms)
  return { machines, clock, say, discover, agent }
}

test('what is said of a machine is of its boot, and changes nothing', () => {
  const { machines, clock, say, agent } = place()
  assert.deepEqual(machines.ofMac(mac), { mac })
  say('script.asked')
  agent(mac, agentBoot)
  const before = JSON.stringify(machines.inNetboot())
  clock.ms += 1
  assert.deepEqual(machines.ofMac(mac), { mac, node: mac, boot: agentBoot })
  assert.equal(JSON.stringify(machines.inNetboot()), before)
})

test('one boot from the first packet to the agent, which names it; the next packet of the firmware begins another', () => {
  const { say, discover, agent } = place()
  assert.equal(discover('firmware'), 'boot 1')
  assert.equal(discover('firmware'), 'boot 1', 'it repeats itself')
  assert.equal(say('program.sent')?.boot, 'boot 1')
  assert.equal(discover('ipxe'), 'boot 1')
  assert.deepEqual(say('script.asked', { tries: 0 }), { mac, boot: 'boot 1' })
  assert.equal(say('kernel.sent')?.boot, 'boot 1')
  assert.equal(discover('system'), 'boot 1', 'stage 1 asks for an address')
  assert.deepEqual(agent(mac, agentBoot), { mac, node: mac, boot: agentBoot, before: 'boot 1' })
  assert.deepEqual(agent(mac, agentBoot), { mac, node: mac, boot: agentBoot })
  assert.equal(discover('system'), undefined, 'the system that was booted renews its lease')
  assert.deepEqual(agent(mac, ''), { mac, node: mac, boot: agentBoot })
  assert.equal(say('dhcp.answered'), undefined)
  assert.equal(discover('firmware'), 'boot 2')
  assert.equal(say('dhcp.answered')?.boot, 'boot 2')
  // What the agent of before has left to say is of its own boot, and names no other one.
  assert.deepEqual(agent(mac, agentBoot), { mac, node: mac, boot: agentBoot })
  assert.deepEqual(say('script.asked', { tries: 0 }), { mac, node: mac, boot: 'boot 2' })
  assert.equal(agent(mac, nextAgentBoot).before, 'boot 2')
})

test('an agent that starts anew, or whose machine was booted otherwise, has no boot before', () => {
  const { agent, discover } = place()
  assert.equal(agent(mac, agentBoot).before, agentBoot)
  assert.equal(agent(mac, nextAgentBoot).before, nextAgentBoot)
  assert.equal(discover('firmware'), 'boot 2')
})

test('what begins a boot', () => {
  const { clock, say, discover, agent } = place()
  const boots: (string | undefined)[] = []
  const next = (boot: string | undefined) => void boots.push(boot)
  // A card whose ROM is iPXE.
  next(discover('ipxe'))
  next(say('script.asked', { tries: 0 })?.boot)
  next(discover('ipxe'))
  next(say('kernel.broken-off')?.boot)
  next(say('script.asked', { tries: 1, arch: 'x86_64' })?.boot)
  next(say('script.asked', { tries: 0 })?.boot)
  // The same while an agent runs.
  agent(mac, agentBoot)
  assert.equal(say('script.asked', { tries: 0, arch: 'x86_64' })?.boot, agentBoot, 'an operator looks at it')
  next(say('script.asked', { tries: 0 })?.boot)
  // Silence in the middle.
  clock.ms += 30 * 60_000 + 1
  next(say('script.asked', { tries: 1 })?.boot)
  assert.deepEqual(
    boots,
    [1, 1, 2, 2, 2, 3, 4, 5].map((number) => `boot ${number}`),
  )
})

test('what another process tells a moment late is of the boot that it was of', () => {
  const { clock, say, discover } = place()
  discover('firmware')
  clock.ms += 1000
  assert.equal(say('script.asked', { tries: 0 })?.boot, 'boot 1')
  clock.ms -= 500
  assert.equal(discover('ipxe'), 'boot 1')
  clock.ms += 501
  assert.equal(discover('ipxe'), 'boot 2')
})

test('a machine that no packet of ours concerns is nobody’s', () => {
  const { machines, say, discover } = place()
  assert.equal(discover('system'), undefined)
  assert.equal(say('dhcp.answered'), undefined)
  const fact = { source: 'tftp', type: 'program.sent', address: '10.0.0.9', data: {} } as const
  assert.deepEqual(machines.ofFact(fact, 1000), {}, 'an address of which no machine is known')
})

test('what another process tells late does not undo what has happened since', () => {
  const { machines, say, clock } = place()
  say('dhcp.seen', { client: 'firmware', message: 'request' }, { address: '10.0.0.9' })
  clock.ms = 3000
  say('queue.turn')
  const fact = { source: 'tftp', type: 'program.sent', address: '10.0.0.9', data: {} } as const
  machines.ofFact(fact, 2000)
  assert.equal(machines.inNetboot()[0]?.state, 'loading')
  machines.ofFact(fact, 4000)
  assert.equal(machines.inNetboot()[0]?.state, 'program', 'it has started anew')
})

test('who loads a file is known by the address that its DHCP messages named', () => {
  const { machines, say } = place()
  say('dhcp.seen', { client: 'firmware', message: 'request' }, { address: '10.0.0.9' })
  const fact = { source: 'tftp', type: 'program.sent', address: '10.0.0.9', data: {} } as const
  assert.deepEqual(machines.ofFact(fact, 1000), { mac, boot: 'boot 1' })
})

test('a machine that a node of its name is remembered of is that node from its first packet', () => {
  const { say } = place([mac])
  assert.deepEqual(say('dhcp.seen', { client: 'firmware', message: 'discover' }), {
    ...{ mac, node: mac, boot: 'boot 1' },
  })
})

test('a node with a name of its own is the machine that loaded its kernel at its address', () => {
  const { say, agent } = place()
  say('dhcp.seen', { client: 'ipxe', message: 'discover' })
  assert.deepEqual(agent('rig1', agentBoot), { node: 'rig1', boot: agentBoot }, 'no address is known')
  say('script.asked', { tries: 0 }, { address: '10.0.0.1' })
  assert.deepEqual(agent('rig1', agentBoot), { mac, node: 'rig1', boot: agentBoot, before: 'boot 1' })
  assert.deepEqual(agent('rig1', agentBoot, '10.0.0.7'), { mac, node: 'rig1', boot: agentBoot })
  assert.deepEqual(say('dhcp.seen', { client: 'firmware', message: 'discover' }), {
    ...{ mac, node: 'rig1', boot: 'boot 2' },
  })
})

test('behind an address that several machines share nobody is guessed', () => {
  const { clock, say, agent } = place()
  say('script.asked', { tries: 0 }, { address: '10.0.0.1' })
  say('script.asked', { tries: 0 }, { address: '10.0.0.1', mac: '52:54:00:00:00:02' })
  assert.deepEqual(agent('rig1', agentBoot), { node: 'rig1', boot: agentBoot })
  clock.ms += 10 * 60_000
  say('script.asked', { tries: 1 }, { address: '10.0.0.1' })
  assert.equal(agent('rig1', agentBoot).mac, mac)
})

test('invented machines and nodes push each other out, and no known node', () => {
  const { discover, agent } = place([mac])
  assert.equal(discover('firmware'), 'boot 1')
  const hex = (byte: number) => byte.toString(16).padStart(2, '0')
  const invented = (n: number) => `02:00:00:00:${hex(n >> 8)}:${hex(n & 255)}`
  for (let n = 0; n <= NODES_UNKNOWN_MAX; n += 1) discover('firmware', invented(n))
  assert.equal(discover('firmware'), 'boot 1')
  assert.equal(
    discover('firmware', invented(NODES_UNKNOWN_MAX)),
    `boot ${NODES_UNKNOWN_MAX + 2}`,
    'still known',
  )
  assert.equal(discover('firmware', invented(0)), `boot ${NODES_UNKNOWN_MAX + 3}`, 'it was forgotten')
  for (let n = 0; n <= NODES_KNOWN_MAX; n += 1) agent(`02:00:00:01:${invented(n).slice(12)}`, agentBoot)
  assert.equal(discover('firmware'), 'boot 1')
})

test('machines in network boot are those whose agents have not reported in this boot', () => {
  const { machines, clock, say, discover, agent } = place([mac])
  const states = () => machines.inNetboot().map(({ mac: own, node, state }) => [own, node, state])
  const stranger = '52:54:00:00:00:02'
  discover('firmware', stranger)
  assert.deepEqual(states(), [[stranger, undefined, 'dhcp']])
  const steps: readonly (readonly [FactType, string])[] = [
    ['dhcp.seen', 'dhcp'],
    ['dhcp.answered', 'dhcp'],
    ['program.sent', 'program'],
    ['script.asked', 'script'],
    ['queue.waiting', 'queue'],
    ['queue.turn', 'loading'],
    ['kernel.sent', 'loading'],
    ['stage1.broken-off', 'loading'],
    ['stage1.sent', 'starting'],
  ]
  for (const [type, state] of steps) {
    clock.ms += 1000
    say(type, { client: 'firmware', message: 'discover' }, { address: '10.0.0.7' })
    assert.deepEqual(states()[0], [mac, mac, state], type)
  }
  discover('system')
  const [own] = machines.inNetboot()
  assert.deepEqual(own, {
    ...{ mac, node: mac, boot: 'boot 2', state: 'starting', address: '10.0.0.7' },
    ...{ firstMs: 2000, bootMs: 2000, heardMs: clock.ms },
  })
  agent(mac, agentBoot)
  assert.deepEqual(states(), [[stranger, undefined, 'dhcp']])
  clock.ms += 1000
  discover('firmware')
  assert.deepEqual(states()[0], [mac, mac, 'dhcp'])
  assert.equal(machines.inNetboot()[0]?.firstMs, 2000)
  machines.forget(mac)
  machines.forget(stranger)
  assert.deepEqual(states(), [])
})

test('a node that is named otherwise is known by its MAC, until it is forgotten', () => {
  const { machines, say, agent } = place()
  const names = () => [machines.macOf('rig1'), machines.nodeOf(mac), machines.macOf(mac)]
  assert.deepEqual(names(), [undefined, undefined, mac])
  say('script.asked', {}, { address: '10.0.0.1' })
  agent('rig1', agentBoot)
  assert.deepEqual(names(), [mac, 'rig1', mac])
  machines.forget('rig1')
  assert.deepEqual(names(), [undefined, undefined, mac])
})

test('after a restart machines are where they were, in the same boots', () => {
  const stored = (more: Partial<StoredMachine> = {}): StoredMachine => ({
    ...{ mac, node: undefined, boot: 'before', agentBoot: '', address: '', types: [] },
    ...{ firstMs: 1, bootMs: 500, heardMs: 900 },
    ...more,
  })
  const fresh = (machine: StoredMachine, nowMs = 1000) => {
    const made = place()
    made.machines.restore([machine], nowMs)
    return made
  }
  const loads = stored({ types: ['dhcp.seen', 'script.asked', 'queue.turn'], address: '10.0.0.3' })
  const { machines, say, agent } = fresh(loads)
  assert.deepEqual(machines.inNetboot(), [
    {
      ...{ mac, node: undefined, boot: 'before', state: 'loading', address: '10.0.0.3' },
      ...{ firstMs: 1, bootMs: 500, heardMs: 900 },
    },
  ])
  assert.deepEqual(say('kernel.sent'), { mac, boot: 'before' })
  assert.equal(say('kernel.sent', {}, { mac: undefined, address: '10.0.0.3' } as object)?.mac, mac)
  assert.deepEqual(agent('rig1', agentBoot, '10.0.0.3'), {
    mac,
    node: 'rig1',
    boot: agentBoot,
    before: 'before',
  })
  // Its agent had named the boot: what comes now begins another one, of the same node.
  const booted = fresh(stored({ node: 'rig1', boot: agentBoot, agentBoot }))
  assert.deepEqual(booted.machines.inNetboot(), [])
  assert.equal(booted.machines.nodeOf(mac), 'rig1')
  assert.equal(booted.discover('system'), undefined)
  assert.deepEqual(booted.say('dhcp.seen', { client: 'firmware', message: 'discover' }), {
    ...{ mac, node: 'rig1', boot: 'boot 1' },
  })
  // The clock was an hour ahead: the next boot begins all the same.
  const ahead = fresh(stored({ boot: agentBoot, agentBoot, node: mac, heardMs: 3_600_000 }))
  assert.equal(ahead.discover('firmware'), 'boot 1')
})
