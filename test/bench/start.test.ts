/** What one node's start costs the server's link, held against a budget: a real agent, server and link. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureStart } from '../../bench/start/link-cost.js'
import { Undo } from '../../bench/storm/undo.js'
import { agentPath } from '../../host/agent-binary.js'
import { hangMs } from '../support/limits.js'

/**
 * Bytes on the wire, with preamble and gap, and about a tenth more than measured. In a storm of 500 each hundred bytes that
 * the server sends take its scaled-down link a fifth of a second (docs/bench.md).
 */
const budget = {
  'https out': { bytes: 1860, connections: 1 },
  'https in': { bytes: 2450, connections: 1 },
  // The end of the download; the start was announced with the manifest.
  'http out': { bytes: 420, connections: 1 },
  'http in': { bytes: 700, connections: 1 },
} as const

const root = process.getuid?.() === 0

test('a start stays within its budget of bytes', {
  skip: root ? false : 'NEEDS ROOT: it makes network namespaces',
  timeout: hangMs,
}, async () => {
  const undo = new Undo()
  try {
    const { counts } = await measureStart(agentPath(), undo)
    const of = (name: string) => counts.find((row) => `${row.service} ${row.direction}` === name)
    for (const [name, most] of Object.entries(budget)) {
      const row = of(name)
      assert.ok(row !== undefined, `nothing was counted as ${name}`)
      assert.ok(row.bytes <= most.bytes, `${name}: ${row.bytes} bytes, no more than ${most.bytes} shall be`)
      assert.equal(row.connections, most.connections, `connections of ${name}`)
      assert.ok(row.payload_bytes > 90, `${name}: only ${row.payload_bytes} bytes`)
    }
    assert.equal(of('bittorrent out')?.connections, 1)
  } finally {
    await undo.all()
  }
})
