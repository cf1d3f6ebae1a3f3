import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { parseReport, runPerfdhcp } from '../../bench/dhcp/perfdhcp.js'
import { runDhcpBench } from '../../bench/dhcp/rounds.js'
import { bootswarm } from '../../bench/dhcp/servers.js'
import { makeWire } from '../../bench/dhcp/wire.js'
import { Undo } from '../../bench/storm/undo.js'
import { scratch } from '../support/scratch.js'

/** As perfdhcp 2.2.0 wrote it; the lines that are not read are left out. */
const report = `Running: perfdhcp -4 -l 10.77.255.254 -r 500 -R 16000000 -p 4 10.77.0.1
***Rate statistics***
Rate: 499.6 4-way exchanges/second, expected rate: 500

***Malformed Packets***
Malformed packets: 0
***Statistics for: DISCOVER-OFFER***
sent packets: 1999
received packets: 1998
drops: 1
avg delay: 177.618 ms

***Statistics for: REQUEST-ACK***
sent packets: 1998
received packets: 1997
drops: 1
avg delay: 8.401 ms
`

test('the report of perfdhcp is read; what is none is not', () => {
  const read = parseReport(report, 4)
  assert.deepEqual(read, { asked: 1999, done: 1997, seconds: 4, offerMs: 177.618, ackMs: 8.401 })
  assert.equal(parseReport('Failed to open socket', 4), undefined)
})

test('a server that fails is a row with the reason, and leaves nothing behind', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('NOT TESTED: needs root')
  const directory = scratch(t)
  const broken = { name: 'broken', start: () => Promise.reject(new Error('no such program')) }
  const options = { contestants: [broken], rate: 10, rounds: 2, seconds: 1, directory, log: () => {} }
  const [row] = await runDhcpBench(options, new Undo())
  assert.equal(row?.failed, '2 of 2: no such program')
  assert.deepEqual(readdirSync(directory), [])
  assert.deepEqual(
    readdirSync('/run/netns').filter((name) => name.includes(`${process.pid}d-`)),
    [],
  )
})

test('the real server answers perfdhcp, and says what it cost', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('NOT TESTED: needs root')
  if (!existsSync('/usr/sbin/perfdhcp')) return t.skip('NOT TESTED: perfdhcp is missing (package kea-admin)')
  const directory = scratch(t)
  const wire = makeWire()
  t.after(() => wire.remove())
  const server = await bootswarm.start(wire.server, directory)
  const before = server.cost()
  const { asked, done } = await runPerfdhcp(wire.client, 20, 2)
  assert.ok(asked >= 20 && done > 0 && done <= asked, `${done} of ${asked}`)
  const after = server.cost()
  assert.ok(after.answering > before.answering && after.all > before.all)
  await server.stop()
})
