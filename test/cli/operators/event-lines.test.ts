import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventLines } from '../../../cli/operators/event-lines.js'

test('events are read however the bytes are cut', () => {
  const text = 'retry: 3000\n\nid: 1\ndata: {"id":1,"note":"ä😀"}\n\n:\n\nid: 2\ndata: {"id":2}\n\n'
  const bytes = Buffer.from(text)
  for (const size of [1, 2, 3, 7, 1000]) {
    const lines = new EventLines()
    const events: unknown[] = []
    for (let at = 0; at < bytes.length; at += size) events.push(...lines.push(bytes.subarray(at, at + size)))
    assert.deepEqual(events, [{ id: 1, note: 'ä😀' }, { id: 2 }], String(size))
  }
})

test('what is no event, or never ends, is refused', () => {
  assert.throws(() => new EventLines().push(Buffer.from('data: {\n')), { code: 'API_UNREADABLE' })
  const endless = new EventLines()
  assert.throws(
    () => {
      for (let n = 0; n < 100; n += 1) endless.push(Buffer.alloc(64 * 1024, 'x'))
    },
    { code: 'API_UNREADABLE' },
  )
})
