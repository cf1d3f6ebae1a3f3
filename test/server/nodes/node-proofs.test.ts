import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NodeKeys } from '../../../server/nodes/node-keys.js'
import { NodeProofs } from '../../../server/nodes/node-proofs.js'
import { Tickets } from '../../../server/nodes/tickets.js'
import type { Proof } from '../../../src/credentials.js'
import type { NodeKey, Ticket } from '../../../src/tickets.js'
import { TestKey } from '../../support/node-key.js'

const minuteMs = 60_000
const node = '52:54:00:00:00:01'
const [home, elsewhere] = ['10.0.0.2', '10.0.0.66']

/** Tickets, keys and proofs at a time that tests set, and what is told of them. */
function bench() {
  let count = 0
  const now = { ms: 0 }
  const stored = { tickets: new Map<string, Ticket>(), keys: new Map<string, NodeKey>() }
  const changed: ConstructorParameters<typeof NodeKeys>[0]['changed'] = (change) => {
    if ('sha256' in change) {
      if (change.ticket === undefined) stored.tickets.delete(change.sha256)
      else stored.tickets.set(change.sha256, change.ticket)
    } else if (change.key === undefined) stored.keys.delete(change.node)
    else stored.keys.set(change.node, change.key)
  }
  const tickets = new Tickets({ random: () => new Uint8Array(16).fill(++count), changed })
  const keys = new NodeKeys({ isKnown: () => true, changed })
  const told: string[] = []
  const lines: object[] = []
  const proofs = new NodeProofs({
    ...{ tickets, keys, nowMs: () => now.ms },
    tell: (mac, type, data) => void told.push(`${mac} ${type} ${Object.values(data).join(' ')}`),
    log: { warn: (facts) => void lines.push(facts) },
  })
  const issue = (address = home, name = node) => tickets.issue({ mac: node, node: name, address }, now.ms)
  const ask = (proof: Proof | undefined, address = home, name = node) =>
    proofs.ofManifest({ node: name, address, proof })
  const report = (proof: Proof | undefined, address = home) => proofs.checkReport({ node, address, proof })
  return { now, stored, tickets, keys, proofs, told, lines, issue, ask, report }
}

const refused = { code: 'TICKET_REFUSED' }
const unsigned = { code: 'SIGNATURE_INVALID' }

test('a node without a key is as open as ever', () => {
  const { ask, report, told } = bench()
  assert.equal(ask(undefined), 'open')
  assert.equal(ask(new TestKey().proof()), 'open')
  report(undefined)
  report(new TestKey().proof())
  assert.deepEqual(told, [])
})

test('a ticket makes the key of its node, which signs from then on', () => {
  const { issue, ask, report, told, stored } = bench()
  const ticket = issue()
  const key = new TestKey()
  assert.equal(ask(key.proof(ticket)), 'proven')
  assert.deepEqual(told, [`${node} ticket.redeemed ${home}`])
  assert.equal(stored.tickets.size, 0)
  assert.ok(!JSON.stringify([...stored.keys.values()]).includes(ticket))
  // An agent whose answer was lost asks again, as does one that looks for another version.
  assert.equal(ask(key.proof(ticket)), 'proven')
  assert.equal(ask(key.proof()), 'proven')
  // Wherever it is by now.
  report(key.proof(), elsewhere)
  assert.equal(told.length, 1)
})

test('a second redemption is refused, and an alarm with both addresses', () => {
  const { now, issue, ask, told, lines } = bench()
  const ticket = issue()
  const key = new TestKey()
  ask(key.proof(ticket))
  assert.throws(() => ask(new TestKey().proof(ticket), elsewhere), refused)
  // As another node, and a year later too.
  now.ms = 525_600 * minuteMs
  assert.throws(() => ask(new TestKey().proof(ticket), elsewhere, 'rig-2'), refused)
  // A node does not become another one with its own.
  const again = bench()
  const own = again.issue()
  again.ask(key.proof(own))
  assert.throws(() => again.ask(key.proof(own), home, 'rig-2'), refused)
  const alarm = `${node} ticket.refused used ${elsewhere} ${home}`
  assert.deepEqual(told.slice(1), [alarm, alarm])
  assert.equal(lines.length, 2)
  assert.ok(!JSON.stringify([told, lines]).includes(ticket))
  assert.equal(ask(key.proof()), 'proven', 'whose it was it still is')
})

test('a ticket is no good for another node, from another address, without a signature, too late, or guessed', () => {
  const { now, issue, ask, told, keys, tickets } = bench()
  const ticket = issue()
  const key = new TestKey()
  assert.throws(() => ask(key.proof(ticket), home, 'rig-2'), refused)
  assert.throws(() => ask(key.proof(ticket), elsewhere), refused)
  const forged = { ...key.proof(ticket), text: Buffer.from('another request') }
  assert.throws(() => ask(forged), refused)
  assert.throws(() => ask(key.proof('00'.repeat(16))), refused)
  tickets.stage1Left(node, home, 0)
  now.ms = 10 * minuteMs
  assert.throws(() => ask(key.proof(ticket)), refused)
  assert.deepEqual(
    told.map((text) => text.split(' ').slice(2).join(' ')),
    [
      `node ${home} ${home}`,
      `address ${elsewhere} ${home}`,
      `signature ${home} ${home}`,
      `expired ${home} ${home}`,
    ],
  )
  assert.equal(keys.get(node), undefined)
  // None of it has used it up.
  now.ms -= 1
  assert.equal(ask(key.proof(ticket)), 'proven')
})

test('a neighbour in an IPv6 network is at another address', () => {
  const { issue, ask, told } = bench()
  const ticket = issue('fd00::2')
  assert.throws(() => ask(new TestKey().proof(ticket), 'fd00::66'), refused)
  assert.deepEqual(told, [`${node} ticket.refused address fd00::66 fd00::2`])
  assert.equal(ask(new TestKey().proof(ticket), 'fd00::2'), 'proven')
})

test('nobody reports for a node that has a key', () => {
  const { issue, ask, report, told, lines } = bench()
  const key = new TestKey()
  ask(key.proof(issue()))
  const old = key.proof()
  report(old)
  assert.throws(() => report(undefined, elsewhere), unsigned)
  assert.throws(() => report(new TestKey().proof(), elsewhere), unsigned)
  assert.throws(() => report({ ...key.proof(), text: Buffer.from('changed') }, elsewhere), unsigned)
  assert.throws(() => report(old, elsewhere), unsigned)
  assert.throws(() => report(undefined), unsigned, 'not even at its own address')
  assert.deepEqual(
    told.slice(1).map((text) => text.split(' ').slice(1).join(' ')),
    ['unsigned', 'signature', 'signature', 'replayed'].map((why) => `report.refused ${why} ${elsewhere}`),
    'four alarms a minute at most',
  )
  assert.equal(lines.length, 4)
  report(key.proof())
})

test('who asks for a node’s manifest without its key is a stranger', () => {
  const { issue, ask, told } = bench()
  const key = new TestKey()
  ask(key.proof(issue()))
  const old = key.proof()
  assert.equal(ask(old), 'proven')
  assert.equal(ask(undefined, elsewhere), 'stranger')
  assert.equal(ask(new TestKey().proof(), elsewhere), 'stranger')
  assert.equal(ask(old, elsewhere), 'stranger', 'sent before')
  assert.deepEqual(told.slice(1), Array(3).fill(`${node} manifest.unproven ${elsewhere}`))
  // The numbers of reports are others: two threads of an agent send them.
  assert.equal(ask(key.proof()), 'proven')
})

test('the next boot has another key, and the last one’s is worth nothing', () => {
  const { now, issue, ask, report, told } = bench()
  const [first, second] = [new TestKey(), new TestKey()]
  const used = issue()
  ask(first.proof(used))
  now.ms = minuteMs
  assert.equal(ask(second.proof(issue())), 'proven')
  assert.throws(() => report(first.proof()), unsigned)
  assert.throws(() => ask(first.proof(used)), refused)
  // The machine's clock began anew with it: its numbers may be smaller.
  const third = new TestKey()
  for (let count = 0; count < 5; count += 1) report(second.proof())
  ask(third.proof(issue()))
  report(third.proof())
  // From elsewhere it is told where it was before.
  now.ms = 2 * minuteMs
  ask(first.proof(issue(elsewhere)), elsewhere)
  assert.equal(told.at(-1), `${node} ticket.redeemed ${elsewhere} ${home}`)
})

test('a stage 1 that knows no tickets boots where the last one had a key', () => {
  const { now, issue, ask, report, keys } = bench()
  ask(new TestKey().proof(issue()))
  now.ms = minuteMs
  issue()
  // It may fail before it asks for a manifest.
  report(undefined)
  assert.throws(() => report(undefined, elsewhere), unsigned)
  assert.equal(ask(undefined, elsewhere), 'stranger')
  assert.equal(ask(undefined), 'open')
  assert.equal(keys.get(node), undefined)
  now.ms = 60 * minuteMs
  report(undefined)
})

test('a script that was asked for before opens nothing', () => {
  const { now, issue, ask, report } = bench()
  issue(elsewhere)
  now.ms = 1
  ask(new TestKey().proof(issue()))
  assert.throws(() => report(undefined, elsewhere), unsigned)
  assert.equal(ask(undefined, elsewhere), 'stranger')
})

test('a node that comes too late boots as one without a ticket: the key of its last boot is no obstacle', () => {
  const { now, issue, ask, report, tickets } = bench()
  const [old, late] = [new TestKey(), new TestKey()]
  ask(old.proof(issue()))
  now.ms = minuteMs
  const ticket = issue()
  tickets.stage1Left(node, home, now.ms)
  now.ms = 12 * minuteMs
  // Who has it not, or is elsewhere, opens nothing.
  assert.throws(() => ask(late.proof(ticket), elsewhere), refused)
  assert.throws(() => ask({ ...late.proof(ticket), text: Buffer.from('x') }), refused)
  assert.throws(() => report(undefined), unsigned)
  assert.throws(() => ask(late.proof(ticket)), refused)
  assert.equal(ask(undefined), 'open')
  report(undefined)
})

test('a late ticket of before opens nothing', () => {
  const { now, issue, ask } = bench()
  const ticket = issue(elsewhere)
  now.ms = 1
  ask(new TestKey().proof(issue()))
  now.ms = 21 * minuteMs
  assert.throws(() => ask(new TestKey().proof(ticket), elsewhere), refused)
  assert.equal(ask(undefined, elsewhere), 'stranger')
})

test('a ticket that was never redeemed opens its node for as long as it is good', () => {
  const { now, issue, ask, report } = bench()
  ask(new TestKey().proof(issue()))
  now.ms = minuteMs
  issue()
  now.ms = 22 * minuteMs
  assert.throws(() => report(undefined), unsigned)
  assert.equal(ask(undefined), 'stranger')
})

test('what a restart finds goes on: keys, the numbers of manifests, used tickets', () => {
  const before = bench()
  const key = new TestKey()
  const ticket = before.issue()
  before.ask(key.proof(ticket))
  const old = key.proof()
  before.ask(old)
  const after = bench()
  after.keys.restore([...before.stored.keys.values()])
  assert.equal(after.ask(old), 'stranger')
  assert.throws(() => after.ask(new TestKey().proof(ticket), elsewhere), refused)
  assert.throws(() => after.report(undefined), unsigned)
  after.report(key.proof())
  assert.equal(after.ask(key.proof(ticket)), 'proven')
})

test('keys are bounded: those of unknown nodes go first, then the oldest', () => {
  const gone: string[] = []
  const keys = new NodeKeys({
    isKnown: (name) => name.startsWith('known'),
    changed: (change) => 'node' in change && change.key === undefined && gone.push(change.node),
    max: 3,
  })
  const put = (name: string) =>
    keys.put({
      ...{ node: name, mac: node, key: '', ticketSha256: `of ${name}`, address: home },
      ...{ redeemedMs: 0, counter: 0 },
    })
  for (const name of ['known-1', 'other-1', 'known-2', 'known-3', 'known-2', 'other-2', 'known-4']) put(name)
  assert.deepEqual(gone, ['other-1', 'known-1', 'other-2'])
  assert.equal(keys.ofTicket('of known-2')?.node, 'known-2')
  assert.equal(keys.ofTicket('of known-1'), undefined)
  keys.put({
    ...{ node: 'known-2', mac: node, key: '', ticketSha256: 'another', address: home },
    redeemedMs: 0,
    counter: 0,
  })
  assert.equal(keys.ofTicket('of known-2'), undefined)
})
