/** Greed before the queue, in virtual time: nodes boot nearly as fast as without it, whatever their links and addresses. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BootQueue } from '../../../server/netboot/boot-queue.js'
import { randomFrom } from '../../fuzz.js'
import { type Client, type Outcome, runQueue } from './queue-world.js'

const seeds = [1, 2, 3, 4, 5]
const slots = 8
const limitMs = 3_600_000

/** Links, bytes a millisecond. */
const gigabit = 125_000
const slowLink = 187

interface Farm {
  readonly nodes: number
  /** All behind one address, as behind a router that translates, or each with its own. */
  readonly isNat?: boolean
  readonly link?: (index: number) => number
  readonly uplink?: number
  readonly fileBytes?: number
  /** Over so much time they are switched on. */
  readonly spreadMs?: number
}

function farm(
  { nodes, isNat, link = () => gigabit, fileBytes = 5_000_000, spreadMs = 5000 }: Farm,
  seed: number,
): Client[] {
  const random = randomFrom(seed)
  return Array.from({ length: nodes }, (_, index) => ({
    ...{ mac: `node-${index}`, address: isNat ? '10.0.0.1' : `10.1.0.${index}` },
    ...{ arrivesMs: 1000 + random(spreadMs), linkBytesPerMs: link(index), fileBytes },
  }))
}

/** So many connections at a time from so many addresses, there before the nodes are. */
function attack(count: number, addresses: number, how: Partial<Client>): Client[] {
  return Array.from({ length: count }, (_, index) => ({
    ...{ mac: `invented-${index}`, address: `10.2.0.${index % addresses}`, arrivesMs: 0 },
    ...{ linkBytesPerMs: 18, fileBytes: 5_000_000, isAttacker: true, ...how },
  }))
}

function run(of: Farm, seed: number, attackers: readonly Client[] = []): Outcome {
  return runQueue(
    new BootQueue(slots),
    [...attackers, ...farm(of, seed)],
    of.uplink ?? gigabit,
    limitMs,
    seed,
  )
}

/** The farm beside these attackers, for each seed: all boot, in at most `factor` of the time without them. */
function holds(
  t: { diagnostic(line: string): void },
  of: Farm,
  attackers: readonly Client[],
  factor: number,
): void {
  for (const seed of seeds) {
    const alone = run(of, seed)
    const beside = run(of, seed, attackers)
    const ratio = beside.lastMs / alone.lastMs
    t.diagnostic(
      `seed ${seed}: ${alone.lastMs} ms alone, ${beside.lastMs} ms, ${beside.loadsMax} downloads at most`,
    )
    assert.ok(!beside.doneMs.includes(undefined), `seed ${seed}: all boot`)
    assert.ok(ratio <= factor, `seed ${seed}: ${ratio} times as long`)
    assert.ok(beside.loadsMax <= slots * 8, `${beside.loadsMax} downloads at once`)
  }
}

const farms: Record<string, Farm> = {
  '200 nodes': { nodes: 200 },
  '200 nodes behind one address': { nodes: 200, isNat: true },
  '40 nodes with 1.5 Mbit/s each': { nodes: 40, link: () => slowLink },
  '100 nodes, every fifth with 1.5 Mbit/s': {
    nodes: 100,
    link: (index) => (index % 5 === 0 ? slowLink : gigabit),
  },
}

for (const [name, of] of Object.entries(farms)) {
  test(`${name}: eight inventions that read slowly, from one address`, (t) => {
    holds(t, of, attack(8, 1, {}), 1.5)
  })
  test(`${name}: forty that read slowly, from three addresses`, (t) => {
    holds(t, of, attack(40, 3, {}), 1.5)
  })
  test(`${name}: a hundred that ask for scripts and load nothing, from three addresses`, (t) => {
    holds(t, of, attack(100, 3, { isIdle: true }), 1.5)
  })
}

test('behind one address with the nodes, forty that read slowly hold them up for a while and no longer', (t) => {
  const of = { nodes: 100, isNat: true }
  // Once a boot has shown what a turn moves; before that nothing tells these nodes from those that read slowly.
  const known = farm({ nodes: 1, spreadMs: 1 }, 0).map((node) => ({ ...node, mac: 'known', arrivesMs: 0 }))
  const later = (clients: readonly Client[]) =>
    clients.map((one) => ({ ...one, arrivesMs: one.arrivesMs + 5000 }))
  const inventions = later(attack(40, 1, { address: '10.0.0.1', arrivesMs: -1000 }))
  for (const seed of seeds) {
    const queue = new BootQueue(slots)
    const all = [...known, ...inventions, ...later(farm(of, seed))]
    const { lastMs, doneMs } = runQueue(queue, all, gigabit, limitMs, seed)
    t.diagnostic(`seed ${seed}: ${lastMs} ms`)
    assert.ok(!doneMs.includes(undefined))
    // Eight of the forty every five seconds, and then their own time.
    assert.ok(lastMs <= 60_000, `seed ${seed}: ${lastMs} ms`)
  }
})

test('a slow uplink that all share: overtaking makes nobody later', (t) => {
  const of = { nodes: 100, uplink: slowLink, link: () => slowLink, fileBytes: 75_000 }
  for (const seed of seeds) {
    const { lastMs, doneMs, loadsMax } = run(of, seed)
    t.diagnostic(`seed ${seed}: ${lastMs} ms, ${loadsMax} downloads at most`)
    const floorMs = (100 * 2 * 75_000) / slowLink
    assert.ok(lastMs <= floorMs * 1.1, `seed ${seed}: ${lastMs} ms, the floor is ${floorMs}`)
    const median = [...doneMs].sort((a = 0, b = 0) => a - b)[50] ?? 0
    assert.ok(
      median <= floorMs * 0.65,
      `seed ${seed}: half of them are done after ${median} ms, not all at the end`,
    )
  }
})
