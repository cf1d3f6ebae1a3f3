import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FairShare } from '../../../server/http/fair-share.js'
import { randomFrom } from '../../fuzz.js'

function filled(max: number, ...held: readonly [address: string, names: string][]): FairShare<string> {
  const share = new FairShare<string>(max)
  for (const [address, names] of held)
    for (const name of names) assert.deepEqual(share.take(name, address, 1, false), [])
  return share
}

test('one address may use all that nobody else asks for, and gives way to others', () => {
  const share = filled(4, ['a', 'ABCD'])
  assert.deepEqual(share.take('x', 'b', 1, false), ['A'])
  assert.deepEqual(share.take('y', 'b', 1, false), ['B'])
  assert.equal(share.taken, 4)
})

test('an address takes from itself what it would otherwise take from those that hold no more', () => {
  const share = filled(4, ['a', 'AB'], ['b', 'CD'])
  assert.deepEqual(share.take('E', 'a', 1, false), ['A'])
  share.setBusy('B', true)
  share.setBusy('E', true)
  assert.equal(share.take('F', 'a', 1, false), undefined)
  assert.ok(!share.holds('F') && share.holds('B') && share.holds('C'))
})

test('what is idle gives way before what is busy, in the order in which it became so', () => {
  const share = filled(4, ['a', 'ABCD'])
  share.setBusy('A', true)
  share.setBusy('B', true)
  share.setBusy('A', false)
  assert.deepEqual(share.take('w', 'b', 1, false), ['C'])
  assert.deepEqual(share.take('x', 'c', 1, false), ['D'])
  assert.deepEqual(share.take('y', 'd', 1, false), ['A'])
  const all = filled(3, ['a', 'ABC'])
  for (const name of 'ABC') all.setBusy(name, true)
  assert.deepEqual(all.take('x', 'b', 1, true), ['A'])
})

test('where each address holds one, the one that is idle for longest gives way, and none that is busy', () => {
  const share = filled(3, ['a', 'A'], ['b', 'B'], ['c', 'C'])
  share.setBusy('A', true)
  share.setBusy('A', false)
  share.setBusy('B', true)
  assert.deepEqual(share.take('x', 'd', 1, true), ['C'])
  assert.deepEqual(share.take('y', 'e', 1, true), ['A'])
  assert.equal(share.take('z', 'f', 1, true), undefined)
})

test('what is given back can be taken again; a second time has no effect', () => {
  const share = filled(2, ['a', 'AB'])
  share.release('A')
  share.release('A')
  assert.equal(share.taken, 1)
  assert.deepEqual(share.take('x', 'b', 1, false), [])
})

test('amounts: several give way for one, or none at all', () => {
  const share = new FairShare<string>(10)
  for (const name of 'ABCDE') assert.deepEqual(share.take(name, 'a', 2, true), [])
  assert.deepEqual(share.take('x', 'b', 3, true), ['A', 'B'])
  // It would hold more than the other then.
  assert.equal(share.take('y', 'b', 4, true), undefined)
  assert.equal(share.take('z', 'c', 11, true), undefined)
  assert.equal(share.taken, 9)
  for (const name of 'CDEx') assert.ok(share.holds(name), name)
})

test('whatever comes and goes, the bound holds and nothing is forgotten', () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const random = randomFrom(seed)
    const share = new FairShare<number>(50)
    const held = new Map<number, number>()
    for (let who = 0; who < 500; who += 1) {
      const amount = 1 + random(8)
      const yielding = share.take(who, `address ${random(6)}`, amount, random(2) === 0)
      for (const other of yielding ?? []) assert.ok(held.delete(other), `seed ${seed}`)
      if (yielding !== undefined) held.set(who, amount)
      const some = [...held.keys()][random(held.size + 3)]
      if (some !== undefined && random(2) === 0) share.setBusy(some, random(2) === 0)
      else if (some !== undefined) {
        share.release(some)
        held.delete(some)
      }
      const sum = [...held.values()].reduce((all, one) => all + one, 0)
      assert.equal(share.taken, sum, `seed ${seed}`)
      assert.ok(sum <= share.max)
    }
    for (const who of held.keys()) share.release(who)
    assert.equal(share.taken, 0)
  }
})
