/** How a link is shared out, in virtual time: nodes in their turn of the boot queue, and clients without one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LinkWorld, type Sent } from './link-world.js'

/** Bytes a millisecond: 1 Gbit/s, 100 Mbit/s, 1.5 Mbit/s; more than any link. */
const [gigabit, fastEthernet, slowLine, hungry] = [117_000, 11_700, 187, 1e9]

const node = (at: number) => `10.0.1.${at}`
const crowd = '10.0.0.3'

/** What is sent in so many milliseconds. */
function sentIn(world: LinkWorld, ms: number): Sent {
  const before = { ...world.sent }
  world.run(ms)
  return { inTurn: world.sent.inTurn - before.inTurn, others: world.sent.others - before.others }
}

for (const { name, nodes, clients, pace } of [
  { name: 'one node beside 64 clients that take all they get', nodes: 1, clients: 64, pace: hungry },
  { name: 'eight nodes beside 64 clients that take all they get', nodes: 8, clients: 64, pace: hungry },
  { name: 'eight nodes beside 500 on slow lines', nodes: 8, clients: 500, pace: slowLine },
]) {
  test(`${name} have most of a link, though the clients were there first`, (t) => {
    const world = new LinkWorld(fastEthernet)
    for (let at = 0; at < clients; at += 1) world.client(crowd, pace, Number.MAX_SAFE_INTEGER)
    assert.equal(sentIn(world, 3000).inTurn, 0)
    for (let at = 0; at < nodes; at += 1) world.node(node(at), hungry)
    // What the system buffers for 500 takes 6 s.
    world.run(9000)
    const { inTurn, others } = sentIn(world, 16_000)
    const share = inTurn / (inTurn + others)
    t.diagnostic(`${share.toFixed(2)} of the link`)
    assert.ok(share > 0.6, `${share}`)
    // The clients have a fifth of the link.
    assert.ok(share < 0.81, `${share}`)
  })
}

for (const { name, nodes, pace, factorMax } of [
  { name: 'nobody', nodes: 0, pace: 0, factorMax: 1 },
  { name: 'a node that loads next to nothing', nodes: 1, pace: 0.001, factorMax: 1.6 },
  { name: 'a node on a slow line', nodes: 1, pace: slowLine, factorMax: 1.6 },
  { name: 'eight nodes on slow lines', nodes: 8, pace: slowLine, factorMax: 1.6 },
  { name: 'a node on 100 Mbit/s', nodes: 1, pace: fastEthernet, factorMax: 1.6 },
  { name: 'eight nodes that use the whole link', nodes: 8, pace: hungry, factorMax: 3 },
]) {
  test(`500 clients on slow lines beside ${name}`, (t) => {
    const world = new LinkWorld(gigabit)
    // No two lines are alike, so that their buffers do not run empty together.
    for (let at = 0; at < nodes; at += 1) world.node(node(at), pace * (1 - at / 50))
    let left = 500
    for (let at = 0; at < 500; at += 1) world.client(crowd, slowLine, 2_000_000, () => left--)
    world.run(60_000, () => left === 0)
    assert.equal(left, 0)
    const factor = world.nowMs / (2_000_000 / slowLine)
    t.diagnostic(`${factor.toFixed(2)} times as long as their lines take`)
    assert.ok(factor < factorMax + 0.05, `${factor}`)
  })
}
