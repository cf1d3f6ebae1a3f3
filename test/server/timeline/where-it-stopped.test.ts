import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type StopCause, stopCauses, whereItStopped } from '../../../server/timeline/where-it-stopped.js'
import type { EventSource, TimelineEvent } from '../../../src/timeline.js'

const mac = '52:54:00:00:00:01'
type Said = readonly [type: string, data?: Readonly<Record<string, unknown>>, atS?: number]

/** Events a second apart, or at the second that they name. */
function events(...said: Said[]): TimelineEvent[] {
  return said.map(([type, data = {}, atS], index) => ({
    ...{ id: index + 1, timeMs: (atS ?? index) * 1000, mac, boot: '00000000000000aa', type, data },
    source: sourceOf(type),
  }))
}

function sourceOf(type: string): EventSource {
  const [word = ''] = type.split('.')
  if (word === 'manifest') return type === 'manifest.sent' ? 'http' : 'agent'
  if (type === 'machine.inventory') return 'agent'
  if (word === 'queue' || word === 'dhcp') return word
  if (['boot', 'artifact', 'progress', 'peer', 'seeding'].includes(word)) return 'agent'
  return word === 'node' || word === 'machine' ? 'server' : 'http'
}

const discover: Said = ['dhcp.seen', { client: 'firmware', message: 'discover' }]
const offer: Said = ['dhcp.answered', { answer: 'offer', file: 'x64/snponly.efi' }]
const program: Said = ['program.sent', { file: 'x64/snponly.efi', bytes: 200_000 }]
const script: Said = ['script.asked', { tries: 0 }]
const turn: Said = ['queue.turn', { version: 1 }]
const kernel: Said = ['kernel.sent', { file: 'vmlinuz', bytes: 8_000_000 }]
const stage1: Said = ['stage1.sent', { file: 'stage1', bytes: 3_000_000 }]
const toScript = [discover, offer, program, script] as const
const toAgent = [...toScript, turn, kernel, stage1] as const
const progress: Said = ['progress', { done_bytes: 5_000_000, total_bytes: 130_000_000 }]

/** Each cause by what leads to it, how long the machine has been silent since, and what people read. */
const cases: readonly (readonly [StopCause, Said[], silentS: number, RegExp])[] = [
  ['NOT_SEEN', [], 0, /Nothing/],
  ['NO_DHCP_ANSWER', [discover], 40, /was not answered/],
  ['DHCP_REFUSED', [discover, ['dhcp.refused', { reason: 'no_pool' }]], 0, /no_pool/],
  ['DHCP_REFUSED', [discover, ['dhcp.refused', { reason: 'refused', why: 'a Raspberry Pi' }]], 0, /Pi/],
  [
    'OTHER_SERVER_CHOSEN',
    [discover, offer, ['dhcp.seen', { message: 'request', other_server: '10.0.0.3' }]],
    40,
    /from 10\.0\.0\.3/,
  ],
  ['OFFER_NOT_TAKEN', [discover, offer], 40, /did not ask for it/],
  [
    'OFFER_NOT_TAKEN',
    [discover, offer, ['dhcp.seen', { message: 'request', other_server: '10.0.0.3' }], offer],
    40,
    /did not ask/,
  ],
  [
    'PROGRAM_REFUSED',
    [discover, offer, ['program.refused', { file: 'pxelinux.0', why: 'no such file' }]],
    60,
    /pxelinux/,
  ],
  [
    'TFTP_STOPPED_AFTER_SIZE',
    [discover, offer, ['program.broken-off', { file: 'x', bytes: 0, of_bytes: 9, why: 'error' }]],
    60,
    /how large x is/,
  ],
  [
    'PROGRAM_BROKEN_OFF',
    [discover, offer, ['program.broken-off', { file: 'x', bytes: 4, of_bytes: 9, why: 'silent' }]],
    60,
    /4 of 9 bytes \(silent\)/,
  ],
  ['NO_SCRIPT_ASKED', [discover, offer, program], 60, /did not ask for a boot script/],
  [
    'DHCP_REFUSED',
    [discover, offer, program, ['dhcp.seen', { client: 'ipxe' }], ['dhcp.refused', { reason: 'exhausted' }]],
    0,
    /exhausted/,
  ],
  [
    'NOT_ADMITTED',
    [...toScript, ['script.refused', { code: 'NODE_NOT_ADMITTED', why: 'x' }]],
    0,
    /waits for an operator/,
  ],
  [
    'DRAINED',
    [...toScript, ['script.refused', { code: 'NODE_DRAINED', why: 'an operator has drained it: fan' }]],
    0,
    /an operator has drained it: fan$/,
  ],
  [
    'SCRIPT_REFUSED',
    [...toScript, ['script.refused', { code: 'BOOT_FILES_MISSING', why: 'no vmlinuz' }]],
    0,
    /BOOT_FILES_MISSING: no vmlinuz/,
  ],
  [
    'NEXT_BOOT',
    [...toScript, ['next-boot.taken', { from: 'disk' }]],
    0,
    /boot from its own disk, this once$/,
  ],
  ['UNDER_WAY', [...toScript, ['next-boot.taken', { from: 'network', profile: 'x' }]], 0, /boot script/],
  ['IN_QUEUE', [...toScript, ['queue.waiting', { position: 3, of: 9 }]], 20, /number 3 of 9/],
  ['KERNEL_NOT_FETCHED', [...toScript, ['queue.waiting', { position: 3, of: 9 }]], 30, /did not ask again/],
  ['KERNEL_NOT_FETCHED', [...toScript], 30, /did not fetch the kernel/],
  ['KERNEL_NOT_FETCHED', [...toScript, turn], 30, /got its boot script/],
  [
    'BOOT_FILES_BROKEN_OFF',
    [...toScript, turn, ['kernel.broken-off', { file: 'vmlinuz', bytes: 1_500_000 }]],
    0,
    /vmlinuz after 1\.5 MB/,
  ],
  [
    'BOOT_FILES_BROKEN_OFF',
    [...toScript, turn, kernel, ['stage1.broken-off', { file: 'stage1', bytes: 0 }]],
    0,
    /stage1 after 0\.0 MB/,
  ],
  ['BOOT_FILES_BROKEN_OFF', [...toScript, turn, kernel], 60, /did not fetch stage 1/],
  ['NO_AGENT', [...toAgent], 60, /no agent reported$/],
  ['NO_AGENT', [...toAgent, ['dhcp.seen', { client: 'system' }]], 60, /its Linux runs/],
  [
    'DHCP_REFUSED',
    [...toAgent, ['dhcp.seen', { client: 'system' }], ['dhcp.refused', { reason: 'exhausted' }]],
    0,
    /exhausted/,
  ],
  ['LOST', [...toAgent, ['manifest.sent'], ['boot.started']], 120, /before it downloaded anything/],
  ['LOST', [...toAgent, ['boot.started'], progress, ['node.lost', {}, 140]], 130, /with 5\.0 of 130\.0 MB/],
  [
    'AGENT_FAILED',
    [...toAgent, ['boot.started'], ['boot.failed', { code: 'TARGET_FULL', message: 'no room' }]],
    0,
    /TARGET_FULL: no room/,
  ],
  [
    // It is told beside the boot, whatever comes of that.
    'AGENT_FAILED',
    [
      ...toAgent,
      ['boot.started'],
      ['boot.failed', { code: 'HTTP_STATUS', message: '' }],
      ['machine.inventory'],
    ],
    0,
    /HTTP_STATUS/,
  ],
  ['BOOTED', [...toAgent, ['boot.started'], progress, ['boot.completed']], 100_000, /has booted/],
]

test('alarms do not show that a machine is alive', () => {
  const silent = events(...toAgent, ['ticket.refused', { why: 'used', from: '10.0.0.66' }, 100])
  assert.equal(whereItStopped(silent, 101_000).cause, 'NO_AGENT')
})

test('each cause, by the events that lead to it', () => {
  for (const [cause, said, silentS, text] of cases) {
    const list = events(...said)
    const lastMs = list.findLast(({ type }) => type !== 'node.lost')?.timeMs ?? 0
    const stop = whereItStopped(list, lastMs + silentS * 1000)
    assert.equal(stop.cause, cause, `${JSON.stringify(said)}: ${stop.text}`)
    assert.match(stop.text, text)
    assert.equal(stop.page, `docs/troubleshooting.md#${cause.toLowerCase()}`)
  }
  const tried = new Set<StopCause>([...cases.map(([cause]) => cause), 'UNDER_WAY'])
  assert.deepEqual([...tried].sort(), [...stopCauses].sort())
})

test('a machine that only takes its time is under way', () => {
  const stages = [
    [discover],
    [discover, offer],
    [discover, offer, program],
    toScript,
    [...toScript, turn],
    [...toScript, turn, kernel],
    toAgent,
    [...toAgent, ['manifest.sent'] as const],
    [...toAgent, ['boot.started'] as const, progress],
  ]
  for (const said of stages) {
    const list = events(...said)
    assert.equal(
      whereItStopped(list, (list.at(-1)?.timeMs ?? 0) + 1000).cause,
      'UNDER_WAY',
      JSON.stringify(said),
    )
  }
})

test('what it did again counts, and so does the newest boot alone', () => {
  const again = [...toScript, turn, ['kernel.broken-off', { file: 'vmlinuz' }] as const]
  const now = (...said: Said[]) => {
    const list = events(...said)
    return whereItStopped(list, (list.at(-1)?.timeMs ?? 0) + 1000).cause
  }
  assert.equal(now(...again), 'BOOT_FILES_BROKEN_OFF')
  assert.equal(now(...again, ['queue.waiting', { position: 1, of: 1 }]), 'IN_QUEUE')
  assert.equal(now(...again, turn), 'UNDER_WAY')
  assert.equal(now(...again, turn, kernel, stage1), 'UNDER_WAY')
  const failed: Said = ['boot.failed', { code: 'X', message: 'y' }]
  assert.equal(now(...toAgent, ['boot.started'], failed, progress), 'UNDER_WAY', 'it tries again')
  const booted = events(...toAgent, ['boot.completed'])
  const next = {
    ...(events(discover)[0] as TimelineEvent),
    id: 99,
    boot: '00000000000000bb',
    timeMs: 900_000,
  }
  assert.equal(whereItStopped([...booted, next], 901_000).cause, 'UNDER_WAY')
  assert.equal(whereItStopped([...booted, next], 999_000).cause, 'NO_DHCP_ANSWER')
})

test('events count in the order in which they happened, not in that in which they were told', () => {
  const [script, seen] = events(['script.asked', { tries: 0 }, 5], ['dhcp.seen', { client: 'ipxe' }, 3])
  const told = [script, seen].flatMap((event) => event ?? [])
  assert.equal(whereItStopped(told, 1_000_000).cause, 'KERNEL_NOT_FETCHED')
  const late = events(...toScript, turn, kernel, stage1, ['dhcp.refused', { reason: 'nak' }, 1])
  assert.equal(whereItStopped(late, 1_000_000).cause, 'NO_AGENT')
})

test('each cause has a section of the troubleshooting guide', () => {
  const guide = readFileSync('docs/troubleshooting.md', 'utf8')
  const sections = [...guide.matchAll(/^### `([A-Z_0-9]+)`$/gm)].map((match) => match[1])
  const missing = stopCauses.filter((cause) => !sections.includes(cause))
  assert.deepEqual(missing, [])
})
