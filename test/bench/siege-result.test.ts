/** What a siege judges, and how it says so: on made-up storms. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attacks } from '../../bench/siege/attacks.js'
import { judge, keptOf } from '../../bench/siege/judge.js'
import { describeSiege, table } from '../../bench/siege/result.js'
import type { ProcessFacts, SiegeRun } from '../../bench/siege/run.js'
import { parseOptions } from '../../bench/siege/siege-options.js'

const holding = (rssMb: number, descriptors: number, sockets: number) => ({ rssMb, descriptors, sockets })

function daemon(change: Partial<ProcessFacts> = {}): ProcessFacts {
  const [before, peak, after] = [holding(80, 32, 10), holding(120, 60, 38), holding(110, 33, 11)]
  return { name: 'daemon', before, peak, after, ...change }
}

function run(change: Partial<SiegeRun> = {}): SiegeRun {
  return {
    ...{
      stormS: 8,
      failed: 0,
      failures: [],
      phasesS: { dhcp: 1, tftp: 2, http: 3, manifest: 1, download: 1 },
      processes: [daemon()],
      descriptorLimit: 20_000,
    },
    ...{ backS: 0.5, kept: [], lateNodeS: 3, originS: 0.1, agents: { rssMb: 3, descriptors: 40 }, did: {} },
    daemonEnded: null,
    ...change,
  }
}

const musts = (runs: readonly SiegeRun[], calm: readonly SiegeRun[] = [run()]) =>
  judge(runs, calm).map(({ must }) => must)

test('a storm that takes as long as without an attack misses nothing', () => {
  assert.deepEqual(judge([run()], [run()]), [])
})

test('times are judged by the median, at 1.5 times that of the storms without an attack', () => {
  const calm = [7, 8, 30].map((stormS) => run({ stormS }))
  const under = (...seconds: number[]) => seconds.map((stormS) => run({ stormS }))
  assert.deepEqual(musts(under(12, 11, 90), calm), [])
  assert.deepEqual(judge(under(12.1, 11, 90), calm), [{ must: 'time', text: '12.1 s, 1.51 times 8.0 s' }])
})

test('one node that fails in one run is a miss, and not one of time', () => {
  const failed = run({ stormS: null, failed: 1, failures: ['n3: no manifest'] })
  assert.deepEqual(judge([run(), run(), failed], [run()]), [
    { must: 'nodes', text: '1 did not boot (n3: no manifest)' },
  ])
  assert.deepEqual(musts([failed]), ['nodes'])
})

test('each bound has a miss of its own, said once however often it is missed', () => {
  const many = daemon({ peak: holding(513, 18_001, 17_000) })
  const bad = run({ processes: [many], agents: { rssMb: 11.1, descriptors: 300 } })
  assert.deepEqual(judge([bad, bad], [run()]), [
    { must: 'memory', text: 'daemon had 513 MB' },
    { must: 'descriptors', text: 'daemon had 18001 of 20000' },
    { must: 'agents', text: 'an agent had 11.1 MB, without an attack 3.0' },
  ])
  const limit = daemon({ peak: holding(512, 18_000, 17_000) })
  assert.deepEqual(musts([run({ processes: [limit], agents: { rssMb: 11, descriptors: 300 } })]), [])
})

test('a process that ended, an origin and a node that got nothing afterwards are misses', () => {
  const ended = run({ processes: [daemon({ after: null })], originS: null, lateNodeS: null })
  assert.deepEqual(musts([ended]), ['alive', 'origin', 'late-node'])
  // Its other processes end with the daemon.
  assert.deepEqual(judge([run({ processes: ended.processes, daemonEnded: 'exit code 1: why' })], [run()]), [
    { must: 'alive', text: 'the daemon ended: exit code 1: why' },
  ])
})

test('an attack that did nothing proves nothing', () => {
  const idle = run({ did: { flood: { datagrams: 3 }, hold: { open_at_once: 0 }, churn: {} } })
  assert.deepEqual(judge([idle], [run()]), [
    { must: 'attack', text: 'hold did nothing' },
    { must: 'attack', text: 'churn did nothing' },
  ])
})

test('what was held before and what a heap works with may be kept, no more', () => {
  const calm = [daemon()]
  const after = (...held: [number, number, number]) => [daemon({ after: holding(...held) })]
  // 1.1 times 32 and 16, 1.1 times 10 and 16, 1.25 times 110 and 128.
  assert.deepEqual(keptOf(after(265.5, 51, 27), 0, calm), [])
  assert.deepEqual(keptOf(after(266, 52, 28), 3, calm), [
    { must: 'descriptors-back', text: 'daemon keeps 52 descriptors, had 32' },
    { must: 'descriptors-back', text: 'daemon keeps 28 sockets, had 10' },
    { must: 'memory-back', text: 'daemon keeps 266 MB, without an attack 110' },
    { must: 'streams-back', text: '3 artifact streams still run' },
  ])
  assert.deepEqual(keptOf(after(900, 33, 11), 0, []), [], 'nothing to compare memory with')
  assert.deepEqual(keptOf([daemon({ after: null })], 0, calm), [], 'that it ended is another miss')
})

test('the result has the worst of all runs, and the table says what was missed', () => {
  const { attacks: _, ...options } = parseOptions(['--repeat', '2'])
  const worse = run({
    ...{ stormS: 20, backS: null, did: { flood: { sent: 5 } } },
    kept: [{ must: 'streams-back', text: '12 artifact streams still run' }],
    processes: [daemon({ peak: holding(300, 90, 60) })],
  })
  const calm = { name: 'none', about: 'no attack', runs: [run(), run()] }
  const result = describeSiege(options, 30e6, calm, [
    { name: 'flood', about: 'floods', runs: [run({ stormS: 9 }), worse] },
  ])
  const [flood] = result.attacks
  assert.deepEqual(
    [flood?.storm_s, flood?.storms_s, flood?.time_share, flood?.back_s, flood?.late_node_s, flood?.did],
    [20, [9, 20], 2.5, null, 3, { flood: { sent: 5 } }],
  )
  assert.equal(flood?.processes[0]?.rss_mb_peak, 300)
  assert.deepEqual([result.missed, result.calm.missed], [2, []])
  const lines = table(result).split('\n')
  assert.equal(lines.length, 4)
  assert.ok(new Set(lines.map((line) => line.split('|').length)).size === 1, 'all rows have all columns')
  assert.match(
    lines[3] ?? '',
    /^\| flood \| 20\.0 \| 2\.50 \| 0 \| 300, 90 \|.*time: 20\.0 s.*12 artifact streams/,
  )
})

test('attacks have names of their own, and are chosen alone, together, or all', () => {
  assert.equal(new Set(attacks.map(({ name }) => name)).size, attacks.length)
  const chosen = (...argv: string[]) => parseOptions(argv).attacks
  assert.deepEqual(
    chosen().map(({ name }) => name),
    [...attacks.map(({ name }) => name), 'all'],
  )
  assert.deepEqual(
    chosen('--attack', 'churn,dht-flood+lsd-flood').map(({ attacks: each }) => each.map(({ name }) => name)),
    [['churn'], ['dht-flood', 'lsd-flood']],
  )
  assert.equal(chosen('--attack', 'all')[0]?.attacks.length, attacks.length)
})

test('wrong options are refused', () => {
  const refused = (...argv: string[]) => assert.throws(() => parseOptions(argv), { code: 'USAGE_INVALID' })
  refused('--nodes', '0')
  refused('--repeat', '')
  refused('--unknown')
  assert.throws(() => parseOptions(['--attack', 'http-silence']), { message: /did you mean http-silent\?/ })
})
