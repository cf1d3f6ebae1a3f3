import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseEvents } from '../../src/events.js'
import { hasSome, machineFacts, storedInventory } from '../../src/inventory.js'
import { EVENT_UNKNOWN_DATA_BYTES_MAX } from '../../src/limits.js'
import { outcome } from '../fuzz.js'

const inventory = JSON.parse(readFileSync('test/vectors/inventory.json', 'utf8')) as Record<string, unknown>
const event = (data: unknown) => ({
  ...{ boot: '0123456789abcdef', seq: 0, t_ms: 5, type: 'machine.inventory' },
  data,
})
const parse = (data: unknown) => parseEvents(JSON.stringify([event(data)]))[0]
const bare = { pci: [], nics: [], disks: [] }

test('an inventory is read as the agent sends it, and as it was stored', () => {
  assert.deepEqual(parse(inventory), event(inventory))
  assert.deepEqual(parse(bare)?.data, bare)
  const stored = storedInventory(inventory)
  assert.deepEqual(stored, inventory)
  assert.deepEqual(stored && machineFacts(stored), {
    dmi: { vendor: 'Vendor', product: 'Box "9"', uuid: '4c4c4544-0042' },
    pci: ['10de:2684'],
    macs: ['52:54:00:aa:00:01', '52:54:00:aa:00:02'],
  })
  for (const other of [undefined, null, [], {}, { ...inventory, cpus: 'many' }])
    assert.equal(storedInventory(other), undefined)
})

test('what a newer agent says beside is kept as long as it is small', () => {
  const more = { ...bare, gpus: [{ memory_bytes: 24e9 }] }
  assert.deepEqual(parse(more)?.data, more)
  const large = { ...bare, serial: 'S1', notes: 'x'.repeat(EVENT_UNKNOWN_DATA_BYTES_MAX) }
  assert.deepEqual(parse(large)?.data, { ...bare, serial: 'S1' })
})

test('an inventory is bounded', () => {
  const [pci, nic, disk] = [
    { class: '0200', id: '8086:1533', count: 1 },
    { mac: '52:54:00:00:00:01' },
    { size_bytes: 1 },
  ]
  const many = <T>(count: number, value: T) => Array.from({ length: count }, () => value)
  const full = { ...bare, pci: many(32, pci), nics: many(8, nic), disks: many(16, disk) }
  assert.deepEqual(parse(full)?.data, full)
  for (const wrong of [
    undefined,
    {},
    { ...full, pci: many(33, pci) },
    { ...full, nics: many(9, nic) },
    { ...full, disks: many(17, disk) },
    { ...bare, serial: 'x'.repeat(129) },
    { ...bare, serial: 7 },
    { ...bare, cpus: -1 },
    { ...bare, pci: [{ ...pci, id: '10DE:2684' }] },
    { ...bare, nics: [{ mac: 'x' }] },
    { ...bare, disks: [{ size_bytes: 1.5 }] },
  ])
    assert.equal(
      outcome(() => parse(wrong)),
      'EVENTS_INVALID',
      JSON.stringify(wrong),
    )
})

test('values are found by patterns, in upper and lower case', () => {
  assert.ok(hasSome(['ABC*'], ['abc1', undefined]))
  assert.ok(hasSome(['x', '10de:*'], ['8086:1533', '10de:2684']))
  assert.ok(!hasSome(['10de:*'], ['8086:10de']))
  assert.ok(!hasSome(['*'], [undefined]))
})
