/** No message vanishes: it is answered, waits for a probe, or a counter says why not. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { counterNames } from '../../../../server/netboot/dhcp/counters.js'
import { ipv4Subnet } from '../../../../src/ipv4.js'
import { fuzzed } from '../../../fuzz.js'
import { Bench, ip, lan, pool, pxe, say, site } from './support.js'

const ends = ['malformed', 'ignored', 'refused', 'exhausted', 'repeated', 'declines', 'releases'] as const

function sumOf(bench: Bench, names: readonly (typeof counterNames)[number][]): number {
  const stats = bench.machine.stats(bench.nowMs)
  return names.reduce((sum, name) => sum + stats[name], 0)
}

test('100,000 mutated messages: each without an answer moves a counter, and each that is ignored has a reason', () => {
  const captures = JSON.parse(readFileSync('test/server/netboot/dhcp/captures.json', 'utf8')) as {
    datagrams: { hex: string }[]
  }[]
  // Answers of servers too: they come in where somebody sends them.
  const seeds: Buffer[] = captures.flatMap(({ datagrams }) =>
    datagrams.map(({ hex }) => Buffer.from(hex, 'hex')),
  )
  for (const type of ['discover', 'request', 'decline', 'release', 'inform'] as const) {
    seeds.push(say(type, { wanted: '10.77.0.101', ciaddr: '10.77.0.101', options: pxe }))
    seeds.push(say(type, { giaddr: '10.99.0.1', options: pxe }))
  }
  const other = { name: 'lan1', address: ip('10.88.0.1'), subnet: ipv4Subnet(ip('10.88.0.0'), 24) }
  const each = Math.ceil(50_000 / seeds.length)
  for (const mode of ['proxy', 'full'] as const) {
    const bench = new Bench(site({ mode, interfaces: [lan, other], pools: mode === 'full' ? [pool] : [] }))
    let fed = 0
    for (const [seed, bytes] of seeds.entries()) {
      for (const variant of fuzzed(bytes, 777 + seed, each)) {
        fed++
        bench.nowMs += 7
        const before = sumOf(bench, ends)
        const port = fed % 3 === 0 ? ('boot' as const) : ('dhcp' as const)
        const local = fed % 2 === 0 ? lan.address : undefined
        const where = { interface: fed % 5 === 0 && local === undefined ? 'lan1' : 'lan0', local, port }
        const sent = bench.hear(variant, where)
        bench.effects.length = 0
        assert.ok(
          sent.length > 0 || sumOf(bench, ends) > before,
          `${mode} ${port}: ${variant.toString('hex')}`,
        )
      }
    }
    // Those that are too many: rates.test.ts.
    const reasons = counterNames.filter((name) => name.startsWith('ignored_') && name !== 'ignored_too_many')
    const stats = bench.machine.stats(bench.nowMs)
    assert.equal(sumOf(bench, reasons), stats.ignored)
    assert.equal(stats.received, fed)
    const unseen = reasons.filter((name) => stats[name] === 0)
    // A proxy has no pools and gives nothing that could be declined.
    const never = mode === 'full' ? [] : ['ignored_no_pool', 'ignored_no_address', 'ignored_not_its_own']
    assert.deepEqual(unseen, never)
  }
})
