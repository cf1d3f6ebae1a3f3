import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandOverPace } from '../../../server/swarm/hand-over-pace.js'

test('while connections are accepted in each turn, eight handshakes follow every 64 of them', () => {
  const pace = new HandOverPace()
  const turns = Array.from({ length: 192 }, () => {
    pace.accept()
    return pace.turn()
  })
  assert.deepEqual(
    turns.flatMap((count, turn) => (count > 0 ? [[turn + 1, count]] : [])),
    [
      [64, 8],
      [128, 8],
      [192, 8],
    ],
  )
})

test('when nobody waits to be accepted, each turn has eight handshakes', () => {
  const pace = new HandOverPace()
  pace.accept()
  assert.deepEqual([pace.turn(), pace.turn(), pace.turn()], [0, 8, 8])
  pace.accept()
  assert.deepEqual([pace.turn(), pace.turn()], [0, 8])
})
