import assert from 'node:assert/strict'
import { test } from 'node:test'
import { phasesOf } from '../../../server/timeline/phases.js'
import { isBootEventType } from '../../../src/events.js'
import type { TimelineEvent } from '../../../src/timeline.js'

type Said = readonly [atMs: number, type: string, data?: Readonly<Record<string, unknown>>, senderMs?: number]

function events(...said: Said[]): TimelineEvent[] {
  return said.map(([timeMs, type, data = {}, senderMs], index) => ({
    ...{ id: index + 1, timeMs, boot: '00000000000000aa', type, data },
    ...(senderMs === undefined ? {} : { senderMs }),
    source: isBootEventType(type) ? 'agent' : 'http',
  }))
}

const spans = (list: readonly TimelineEvent[]) =>
  phasesOf(list).map(({ phase, startedMs, endedMs }) => [phase, startedMs, endedMs])

const netboot: readonly Said[] = [
  [1000, 'dhcp.seen'],
  [1010, 'dhcp.answered'],
  [3000, 'program.sent', { seconds: 1.5 }],
  [4000, 'dhcp.seen', { client: 'ipxe' }],
  [5000, 'script.asked'],
  [5100, 'queue.waiting'],
  [7100, 'script.asked'],
  [7200, 'queue.turn'],
  [8000, 'kernel.sent'],
  [9000, 'stage1.sent'],
]
/** They come in two batches: the agent's own clock tells when they happened. */
const agent: readonly Said[] = [
  [12_010, 'boot.started', {}, 10],
  [13_000, 'manifest.verified', { artifacts: 2 }, 200],
  [20_000, 'artifact.started', { name: 'a' }, 300],
  [20_000, 'artifact.unpacked', { name: 'a' }, 3900],
  [20_000, 'artifact.downloaded', { name: 'a' }, 4000],
  [20_000, 'artifact.downloaded', { name: 'b' }, 5000],
  [20_000, 'artifact.unpacked', { name: 'b' }, 6000],
  [20_000, 'boot.completed', {}, 6100],
]

test('a whole boot is nine phases, each of which ends where the next one begins', () => {
  assert.deepEqual(spans(events(...netboot, ...agent)), [
    ['dhcp', 1000, 1500],
    ['program', 1500, 5000],
    ['queue', 5000, 7200],
    ['files', 7200, 9000],
    ['start', 9000, 12_010],
    ['manifest', 12_010, 12_200],
    ['artifacts', 12_200, 17_000],
    ['unpack', 17_000, 18_000],
    ['switch_root', 18_000, 18_100],
  ])
})

test('the last phase of a boot that stopped is not over', () => {
  const last = (...said: readonly Said[]) => spans(events(...said)).at(-1)
  assert.deepEqual(spans([]), [])
  assert.deepEqual(last([1, 'dhcp.seen']), ['dhcp', 1, undefined])
  assert.deepEqual(last(...netboot.slice(0, 4)), ['program', 1500, undefined])
  assert.deepEqual(last(...netboot.slice(0, 6)), ['queue', 5000, undefined])
  assert.deepEqual(last(...netboot.slice(0, 9)), ['files', 7200, undefined])
  assert.deepEqual(last(...netboot), ['start', 9000, undefined])
  assert.deepEqual(last(...netboot, ...agent.slice(0, 1)), ['manifest', 12_010, undefined])
  assert.deepEqual(last(...netboot, ...agent.slice(0, 5)), ['artifacts', 12_200, undefined], 'one of two')
  assert.deepEqual(last(...netboot, ...agent.slice(0, 6)), ['unpack', 17_000, undefined])
})

test('what nobody has seen is left out, and no phase ends before it begins', () => {
  assert.deepEqual(
    spans(events(...agent)).map(([phase]) => phase),
    ['manifest', 'artifacts', 'unpack', 'switch_root'],
  )
  // iPXE in the card's ROM: no boot program. The turn was told of after the first bytes.
  assert.deepEqual(
    spans(events([1, 'dhcp.seen'], [5, 'script.asked'], [9, 'queue.turn'], [8, 'stage1.sent'])),
    [
      ['dhcp', 1, 5],
      ['queue', 5, 9],
      ['files', 9, 9],
      ['start', 9, undefined],
    ],
  )
  assert.deepEqual(spans(events([1, 'script.asked'], [5, 'dhcp.seen']))[0]?.[0], 'queue')
  const strange = [
    [7, 'program.sent', { seconds: 'x' }],
    [9, 'boot.completed', { name: 5 }, 3],
  ] as const
  assert.deepEqual(spans(events(...strange)), [['program', 7, 9]])
})
