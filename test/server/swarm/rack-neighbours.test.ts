import assert from 'node:assert/strict'
import { test } from 'node:test'
import { areLinked, neighboursOf } from '../../../server/swarm/rack-neighbours.js'
import { flatTree, makeRackTree } from '../../../src/rack-tree.js'

/** Two racks at the server; behind `a` a line of three, behind `b` three others, one of which has one behind it. */
const links: Record<string, string | undefined> = {
  ...{ a: undefined, a2: 'a', a3: 'a2', a4: 'a3' },
  ...{ b: undefined, b2: 'b', b3: 'b', b4: 'b', b5: 'b2' },
}
const tree = makeRackTree(Object.entries(links).map(([name, behind]) => ({ name, behind })))
const all = [...Object.keys(links), 'x']

function near(rack: string, ...empty: string[]): [string, string] {
  const others = all.filter((name) => name !== rack && !empty.includes(name))
  const { ahead, behind } = neighboursOf(rack, others, tree)
  return [ahead.join(' '), behind.join(' ')]
}

test('the neighbours of a rack are the one that it hangs behind and those behind it', () => {
  assert.deepEqual(near('a2'), ['a', 'a3'])
  assert.deepEqual(near('a4'), ['a3', ''])
  assert.deepEqual(near('b2'), ['b', 'b5'])
})

test('racks at the server are neighbours, also those of which nothing is said', () => {
  assert.deepEqual(near('a'), ['b x', 'a2'])
  assert.deepEqual(near('x'), ['a b', ''])
  const others = ['q', 'p', 'r']
  assert.deepEqual(neighboursOf('o', others, flatTree), { ahead: others, behind: [] })
})

test('a rack that has nobody is passed over, towards the server and away from it', () => {
  assert.deepEqual(near('a3', 'a2'), ['a', 'a4'])
  assert.deepEqual(near('a', 'a2', 'a3'), ['b x', 'a4'])
  assert.deepEqual(near('a4', 'a', 'a2', 'a3'), ['b x', ''])
  assert.deepEqual(near('b', 'a', 'a2'), ['a3 x', 'b2 b3 b4'])
  // Behind the same empty one: its switch connects them.
  assert.deepEqual(near('b3', 'b', 'b2'), ['a b4 b5 x', ''])
})

test('neighbourhood is mutual, whoever is there', () => {
  for (let bits = 0; bits < 1 << all.length; bits += 7) {
    const there = all.filter((_, at) => ((bits >> at) & 1) === 1)
    const neighbours = new Map(
      there.map((rack) => {
        const others = there.filter((name) => name !== rack)
        const { ahead, behind } = neighboursOf(rack, others, tree)
        return [rack, [...ahead, ...behind]]
      }),
    )
    for (const [rack, near] of neighbours) {
      for (const other of near)
        assert.ok(neighbours.get(other)?.includes(rack), `${there}: ${rack}, ${other}`)
      // Nobody is cut off.
      assert.ok(near.length > 0 || there.length === 1, `${there}: ${rack}`)
    }
  }
})

test('one link leads to the rack that one hangs behind, and from the server to all at it', () => {
  assert.ok(areLinked('a', 'a2', tree) && areLinked('a3', 'a2', tree))
  assert.ok(areLinked('a', 'b', tree) && areLinked('x', 'a', tree))
  assert.ok(!areLinked('a', 'a3', tree) && !areLinked('b2', 'b3', tree) && !areLinked('x', 'a2', tree))
})
