import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { pino } from 'pino'
import { openStore } from '../../../server/store/store.js'
import { FactAdmission } from '../../../server/timeline/fact-admission.js'
import { parseEvents } from '../../../src/events.js'
import type { Fact } from '../../../src/timeline.js'
import { timelineOn } from '../../support/timeline.js'

const mac = '52:54:00:00:00:01'
const boot = 'aaaaaaaaaaaaaaaa'
const address = '10.0.0.9'

function place(t: TestContext) {
  const store = openStore({ file: ':memory:', log: pino({ level: 'silent' }), nowMs: 0 })
  t.after(() => store.close())
  const clock = { ms: 1000 }
  const timeline = timelineOn(store, () => clock.ms)
  const nodes = new Set<string>()
  timeline.begin({
    stored: [],
    isRemembered: (id) => nodes.has(id),
    isKnown: (id) => nodes.has(id),
    row: (id) => ({
      ...{ id, firstSeenMs: 1, lastSeenMs: 1, address, rack: '', state: 'seen' },
      ...{ version: null, boot, isKnown: true },
    }),
  })
  const appear = (id: string) => {
    nodes.add(id)
    timeline.nodeChanged(id)
  }
  return { store, clock, timeline, appear }
}

const seen = (more: Partial<Fact> = {}): Fact => ({
  ...{ source: 'dhcp', type: 'dhcp.seen', mac, data: { client: 'firmware', message: 'discover' } },
  ...more,
})

test('a boot is one line of events, from the first packet to the agent’s last word', async (t) => {
  const { store, clock, timeline, appear } = place(t)
  timeline.site('server.started', {})
  timeline.machine(seen({ address }))
  clock.ms += 1000
  timeline.machine({
    source: 'tftp',
    type: 'program.sent',
    address,
    data: { file: 'x64/ipxe.efi', bytes: 7 },
  })
  timeline.machine({ source: 'http', type: 'script.asked', mac, address, data: { tries: 0 } })
  timeline.machine({ source: 'http', type: 'kernel.sent', mac, address, data: { bytes: 9 } })
  appear(mac)
  timeline.node(mac, boot, address, 'manifest.sent', { version: 3 })
  const text = JSON.stringify([
    { boot, seq: 0, t_ms: 5, type: 'boot.started', data: { agent: '1', mem_total_bytes: 1 } },
    { boot, seq: 1, t_ms: 6, type: 'fan.stopped', data: { fans: [1, 2] } },
  ])
  for (const event of parseEvents(text)) timeline.reported(mac, address, event, clock.ms)
  await timeline.written()
  assert.deepEqual(
    store.timeline.ofNode(mac).map(({ id: _, ...event }) => event),
    [
      {
        ...{ timeMs: 1000, mac, node: mac, boot, source: 'dhcp', type: 'dhcp.seen' },
        data: { client: 'firmware', message: 'discover', address },
      },
      {
        ...{ timeMs: 2000, mac, node: mac, boot, source: 'tftp', type: 'program.sent' },
        data: { file: 'x64/ipxe.efi', bytes: 7, address },
      },
      {
        ...{ timeMs: 2000, mac, node: mac, boot, source: 'http', type: 'script.asked' },
        data: { tries: 0, address },
      },
      {
        ...{ timeMs: 2000, mac, node: mac, boot, source: 'http', type: 'kernel.sent' },
        data: { bytes: 9, address },
      },
      {
        ...{ timeMs: 2000, mac, node: mac, boot, source: 'server', type: 'machine.identified' },
        data: { before: '0000000000000001', address },
      },
      {
        ...{ timeMs: 2000, mac, node: mac, boot, source: 'http', type: 'manifest.sent' },
        data: { version: 3, address },
      },
      {
        ...{ timeMs: 2000, senderMs: 5, mac, node: mac, boot, source: 'agent', type: 'boot.started' },
        data: { agent: '1', mem_total_bytes: 1 },
      },
      {
        ...{ timeMs: 2000, senderMs: 6, mac, node: mac, boot, source: 'agent', type: 'fan.stopped' },
        data: { fans: [1, 2] },
      },
    ],
  )
  assert.deepEqual(store.timeline.ofBoot(boot), store.timeline.ofNode(mac))
  assert.equal(store.timeline.after(0)[0]?.type, 'server.started')
  await timeline.stop()
})

test('a flood under invented addresses is left out and counted, and a known node is heard all the same', async (t) => {
  const { store, clock, timeline, appear } = place(t)
  appear(mac)
  const invented = (n: number) =>
    `02:00:00:${[n >> 16, (n >> 8) & 255, n & 255].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`
  const flood = 20_000
  for (let n = 0; n < flood; n += 1) timeline.machine(seen({ mac: invented(n) }))
  timeline.machine(seen())
  clock.ms += 10_000
  timeline.site('config.reloaded', {})
  await timeline.stop()
  const kept: { type: string; data: Readonly<Record<string, unknown>>; node?: string }[] = []
  for (let events = store.timeline.after(0); events.length > 0; ) {
    kept.push(...events)
    events = store.timeline.after(events.at(-1)?.id ?? 0)
  }
  assert.equal(kept.filter(({ node }) => node === mac).length, 1)
  const strangers = kept.filter(({ type, node }) => type === 'dhcp.seen' && node === undefined).length
  const leftOut = kept.filter(({ type }) => type === 'facts.left-out').map(({ data }) => Number(data.count))
  assert.ok(strangers < flood / 2, `${strangers}`)
  assert.equal(
    leftOut.reduce((sum, count) => sum + count, strangers),
    flood,
    'each is kept or counted',
  )
  assert.ok(leftOut.length <= 2, 'and the counting is no flood of its own')
})

test('one machine that never stops has its burst, and a little more each second', () => {
  const admission = new FactAdmission()
  const count = (atMs: number) =>
    Array.from({ length: 1000 }, () => admission.admits(mac, undefined, true, atMs)).filter(Boolean).length
  assert.deepEqual([count(0), count(0), count(10_000)], [128, 0, 20])
  assert.ok(admission.admits('52:54:00:00:00:02', undefined, false, 10_000))
})

test('a few addresses that invent machines do not keep first boots elsewhere from being told', () => {
  const admission = new FactAdmission()
  for (let n = 0; n < 40_000; n += 1) admission.admits(`invented ${n}`, `10.0.0.${n % 4}`, false, n / 4)
  for (let n = 0; n < 100; n += 1) {
    const nowMs = 10_000 + n * 20
    for (let m = 0; m < 40; m += 1) admission.admits(`more ${n} ${m}`, `10.0.0.${m % 4}`, false, nowMs)
    for (let fact = 0; fact < 5; fact += 1)
      assert.ok(admission.admits(`machine ${n}`, `10.0.1.${n}`, false, nowMs), `fact ${fact} of ${n}`)
  }
})

test('long texts of a fact are cut', async (t) => {
  const { store, timeline } = place(t)
  const data = { client: 'firmware', message: 'discover', arch: 'x'.repeat(10_000) }
  timeline.machine(seen({ data }))
  await timeline.stop()
  assert.equal(String(store.timeline.ofMac(mac)[0]?.data.arch).length, 257)
})
