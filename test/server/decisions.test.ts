/**
 * What the server decides, recorded case by case in test/vectors/decisions. The simulator models the same decisions, and
 * its tests read the same cases: neither side can drift from the other unnoticed.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { HandshakeWindow } from '../../server/http/handshake-window.js'
import { type Lease, StreamSlots } from '../../server/http/stream-slots.js'
import { Grants } from '../../server/swarm/grants.js'
import { Handout } from '../../server/swarm/handout.js'
import { HandoutActivity } from '../../server/swarm/handout-activity.js'
import { HandoutWindow } from '../../server/swarm/handout-window.js'
import { downloadIntervalS } from '../../server/swarm/tracker.js'
import { TrackerSwarm } from '../../server/swarm/tracker-swarm.js'
import { makeRackTree, type RackTree, racksAbove } from '../../src/rack-tree.js'

// biome-ignore lint/suspicious/noExplicitAny: rows of test data, whose shape README.md of the vectors tells
type Row = [string, ...any[]]

interface Case {
  readonly about: string
  readonly steps: Row[]
  readonly racks?: number[]
  /** For each rack the one that it hangs behind. */
  readonly behind?: (number | null)[]
  readonly random?: number[]
  readonly size_bytes?: number
  readonly piece_bytes?: number
  readonly streams_max?: number
  readonly small_bytes_max?: number
}

function each(name: string, run: (given: Case) => (step: Row) => unknown): void {
  test(`decisions: ${name}`, () => {
    const file = new URL(`../../../test/vectors/decisions/${name}.json`, import.meta.url)
    const cases = JSON.parse(readFileSync(fileURLToPath(file), 'utf8')) as Case[]
    assert.ok(cases.length > 0)
    for (const given of cases) {
      const step = run(given)
      assert.ok(given.steps.length > 0, given.about)
      for (const [at, row] of given.steps.entries()) {
        // The last value of a step that decides is what is decided.
        const decided = step(row)
        if (decided !== undefined)
          assert.deepEqual(decided, row.at(-1), `${given.about}, step ${at}: ${JSON.stringify(row)}`)
      }
    }
  })
}

function draws({ random = [] }: Case): () => number {
  let at = 0
  return () => random[at++ % random.length] ?? 0
}

const rackName = (rack: number | undefined) => `rack ${rack}`

function treeOf({ behind = [] }: Case): RackTree {
  return makeRackTree(
    behind.map((rack, at) => ({ name: rackName(at), behind: rack === null ? undefined : rackName(rack) })),
  )
}

each('handout', replayHandout)
each('handout-chains', replayHandout)

function replayHandout(given: Case): (step: Row) => unknown {
  const tree = treeOf(given)
  const handout = new Handout(draws(given))
  const infohash = 'a'.repeat(40)
  const spec = {
    infohash,
    sizeBytes: given.size_bytes ?? 0,
    pieceLength: given.piece_bytes ?? 0,
    priority: 0,
  }
  handout.addTorrent(spec)
  const join = (agent: number, nowMs: number) => {
    const rack = rackName(given.racks?.[agent])
    handout.join(agent, infohash, rack, nowMs, { depth: racksAbove(tree, rack).length })
  }
  return ([name, ...values]) => {
    switch (name) {
      case 'join':
        return join(values[0], values[1])
      case 'leave':
        return handout.leave(values[0])
      case 'have':
        return handout.have(values[0], values[1], values[2])
      case 'sent':
        return handout.sent(values[0], values[1])
      case 'interest':
        return handout.interest(values[0], values[1])
      case 'poll':
        return handout.poll(values[0]).map(({ conn, piece }) => [conn, piece])
    }
    return assert.fail(name)
  }
}

each('window', () => {
  const window = new HandoutWindow()
  return ([name, ...values]) => {
    if (name === 'idle') return window.idle()
    window.confirmed(values[0], values[1])
    return window.size
  }
})

each('grants', () => {
  const grants = new Grants()
  return ([name, ...values]) => {
    if (name === 'give') return grants.give(values[0], values[1])
    if (name === 'told') return grants.told(values[0])
    return grants.take(values[0], values[1])
  }
})

each('tracker', replayTracker)
each('tracker-chains', replayTracker)

/** Where no racks hang behind others, nobody is far. */
function replayTracker(given: Case): (step: Row) => unknown {
  const swarm = new TrackerSwarm()
  const random = draws(given)
  const tree = treeOf(given)
  const of = (node: number) => ({ peerId: `${node}`, address: `10.0.0.${node}`, port: 6881 })
  const numberOf = (peer: { peerId: string }) => Number(peer.peerId)
  return ([name, node, rack, seed, numwant, ...expected]) => {
    const peer = { ...of(node), rack: rackName(rack), seed, agent: true, introduced: true, expiresMs: 1 }
    switch (name) {
      case 'put':
        return swarm.put(peer)
      case 'remove':
        return swarm.remove(peer.peerId, peer.address)
      case 'introduce': {
        const { local, across, far, importer } = swarm.introduce(peer, numwant, random, tree)
        const met = given.behind === undefined ? [local, across] : [local, across, far]
        const numbers = met.map((peers) => peers.map(numberOf))
        assert.deepEqual(numbers, expected.slice(0, met.length), `${given.about}: ${[name, node]}`)
        return importer
      }
      case 'interval':
        return downloadIntervalS(swarm.size)
    }
    return assert.fail(name)
  }
}

each('handshakes', () => {
  const window = new HandshakeWindow<number>(1000)
  return ([name, ...values]) => {
    if (name === 'arrive') return window.arrive(values[0], `10.0.0.${values[0]}`)
    if (name === 'finish') return window.finish(values[0], values[1])
    return window.next(values[0])
  }
})

each('streams', (given) => {
  const handoutActivity = new HandoutActivity()
  let isHandingOut = false
  const slots = new StreamSlots(given.streams_max ?? 0, given.small_bytes_max ?? 0, () => isHandingOut)
  const leases = new Map<number, Lease>()
  return ([name, ...values]) => {
    switch (name) {
      case 'admit': {
        const admission = slots.admit(`10.0.0.${values[0]}`, values[1], values[2])
        if (admission.ok) leases.set(values[0], admission.lease)
        return admission.ok ? 0 : admission.retryAfterS
      }
      case 'release': {
        const lease = leases.get(values[0])
        assert.ok(lease)
        return slots.release(lease, values[1])
      }
      case 'counters': {
        const [agents, unheld, uploadedBytes, nowMs] = values
        isHandingOut = handoutActivity.isHandingOut([{ agents, unheld, uploadedBytes }], nowMs)
        return isHandingOut
      }
    }
    return assert.fail(name)
  }
})
