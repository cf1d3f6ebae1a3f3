import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alarmsOf, isAlarm } from '../../../server/timeline/alarms.js'
import type { TimelineEvent } from '../../../src/timeline.js'

const event = (
  id: number,
  type: string,
  data: TimelineEvent['data'],
  source: TimelineEvent['source'] = 'http',
) => ({
  ...{ id, timeMs: id, source, type, data },
})

test('an alarm says who and from where, each once, the newest of them', () => {
  const used = { why: 'used', from: '10.0.0.66', redeemed_from: '10.0.0.2' }
  const alarms = alarmsOf([
    event(1, 'ticket.redeemed', { address: '10.0.0.2' }),
    event(2, 'ticket.refused', used),
    event(3, 'report.refused', { why: 'unsigned', from: '10.0.0.66' }),
    event(4, 'ticket.refused', used),
    // A newer agent may call an event of its own so.
    event(5, 'ticket.refused', used, 'agent'),
  ])
  assert.deepEqual(alarms, [
    { timeMs: 3, text: 'Reports in its name were refused from 10.0.0.66 (unsigned)' },
    {
      timeMs: 4,
      text: 'Its ticket was redeemed from 10.0.0.2, and presented again from 10.0.0.66: one of the two is not this node',
    },
  ])
  const many = Array.from({ length: 20 }, (_, id) => event(id, 'manifest.unproven', { from: `10.0.1.${id}` }))
  assert.deepEqual(
    alarmsOf(many).map(({ timeMs }) => timeMs),
    [12, 13, 14, 15, 16, 17, 18, 19],
  )
  const whys = ['address', 'node', 'expired', 'signature']
  const texts = whys.map(
    (why) => alarmsOf([event(1, 'ticket.refused', { why, from: 'b', issued_to: 'a' })])[0],
  )
  assert.equal(new Set(texts.map((alarm) => alarm?.text)).size, 4)
  assert.deepEqual([isAlarm('ticket.redeemed'), isAlarm('manifest.unproven')], [false, true])
})
