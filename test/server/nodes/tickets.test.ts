import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type TicketLimits, Tickets, ticketSha256 } from '../../../server/nodes/tickets.js'
import type { Ticket, TicketChange } from '../../../src/tickets.js'

const minuteMs = 60_000
const mac = (n: number) => `52:54:00:00:00:${n.toString(16).padStart(2, '0')}`

/** Tickets, and the table that their changes make. */
function bench(limits?: TicketLimits) {
  let count = 0
  const table = new Map<string, Ticket>()
  const tickets = new Tickets({
    random: () => new Uint8Array(16).fill(++count),
    changed: (change: TicketChange) => {
      if (!('sha256' in change)) return
      if (change.ticket === undefined) table.delete(change.sha256)
      else table.set(change.sha256, change.ticket)
    },
    ...(limits === undefined ? {} : { limits }),
  })
  const issue = (n: number, address = '10.0.0.2', nowMs = 0) =>
    tickets.issue({ mac: mac(n), node: mac(n), address }, nowMs)
  const macs = () => [...table.values()].map((ticket) => ticket.mac)
  return { tickets, table, issue, macs }
}

test('a ticket is kept by its digest, for its machine, node and address, until ten minutes after stage 1', () => {
  const { tickets, table } = bench()
  const secret = tickets.issue({ mac: mac(1), node: 'rig-1', address: '10.0.0.2' }, 1000)
  assert.equal(secret, '01'.repeat(16))
  const sha256 = ticketSha256(secret)
  const kept = { sha256, mac: mac(1), node: 'rig-1', address: '10.0.0.2', issuedMs: 1000 }
  assert.deepEqual([...table.values()], [{ ...kept, expiresMs: 1000 + 20 * minuteMs }])
  // Another machine's stage 1, and one that went to another address.
  tickets.stage1Left(mac(2), '10.0.0.2', 5000)
  tickets.stage1Left(mac(1), '10.0.0.3', 5000)
  assert.equal(table.get(sha256)?.expiresMs, 1000 + 20 * minuteMs)
  tickets.stage1Left(mac(1), '10.0.0.2', 5000)
  assert.deepEqual([...table.values()], [{ ...kept, expiresMs: 5000 + 10 * minuteMs }])
})

test('a machine has one at each address: who asks for another’s script elsewhere takes nothing from it', () => {
  const { table, issue } = bench()
  const first = issue(1)
  issue(1, '10.0.0.66')
  assert.ok(table.has(ticketSha256(first)))
  issue(1)
  assert.ok(!table.has(ticketSha256(first)))
  assert.equal(table.size, 2)
})

test('of one address the oldest goes, in all the oldest of the address that has most', () => {
  const { issue, macs } = bench({ max: 4, ofAddressMax: 3 })
  issue(9, '10.0.0.9')
  for (const n of [1, 2, 3, 4]) issue(n)
  assert.deepEqual(macs(), [9, 2, 3, 4].map(mac))
  issue(8, '10.0.0.8')
  assert.deepEqual(macs(), [9, 3, 4, 8].map(mac))
})

test('what is over is forgotten an hour later, and after a restart', () => {
  const { tickets, table, issue, macs } = bench()
  issue(1)
  issue(2, undefined, 10 * minuteMs)
  issue(3, undefined, 79 * minuteMs)
  assert.deepEqual(macs(), [1, 2, 3].map(mac))
  issue(4, undefined, 80 * minuteMs)
  assert.deepEqual(macs(), [2, 3, 4].map(mac))
  const stored = [...table.values()].reverse()
  const again = bench()
  for (const ticket of stored) again.table.set(ticket.sha256, ticket)
  again.tickets.restore(stored, 95 * minuteMs)
  assert.deepEqual(again.macs().sort(), [3, 4].map(mac))
  // It goes on with those: a new script takes the place of one of before.
  again.issue(3, undefined, 96 * minuteMs)
  assert.deepEqual(again.macs().sort(), [3, 4].map(mac))
  assert.equal(tickets.issue({ mac: mac(5), node: mac(5), address: 'fd00::1' }, 0).length, 32)
})
