import { test } from 'node:test'
import { armDeadline, timed } from './deadline.js'
import { Storm } from './storm.js'

armDeadline()
test('storm', async (t) => {
  const storm = await Storm.make(t, process.env.E2E_ROOT ?? '')
  if (storm === undefined) return t.skip('NOT TESTED: needs root')
  await t.test('four', async (t2) => {
    timed(t2)
    await storm.four(t)
  })
  await t.test('orphan', async (t2) => {
    timed(t2)
    await storm.orphan(t2)
  })
})
