import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseExtendedHandshake } from '../../../server/swarm/extended-handshake.js'

const parsed = (text: string) => parseExtendedHandshake(Buffer.from(text, 'latin1'))

test('what agents and stock clients send', () => {
  const agent = 'd2:bsi1e1:md11:ut_metadatai2e6:ut_pexi1ee1:pi6881e4:reqqi512e1:v15:bootswarm/0.1.0e'
  assert.deepEqual(parsed(agent), { bootswarm: true, metadataId: 2 })
  const unsorted = 'd1:v4:test12:complete_agoi1e1:md11:upload_onlyi3e11:ut_metadatai7e11:lt_donthavei9eee'
  assert.deepEqual(parsed(unsorted), { bootswarm: false, metadataId: 7 })
  assert.deepEqual(parsed('d1:mdee'), { bootswarm: false, metadataId: undefined })
  assert.deepEqual(parsed('d1:md11:ut_metadatai0eee'), { bootswarm: false, metadataId: 0 })
})

test('what is out of range or of another type counts as not said', () => {
  for (const id of ['i-1e', 'i256e', 'i99999999999999999e', '1:3', 'le']) {
    const text = `d2:bsi2e1:md11:ut_metadata${id}ee`
    assert.deepEqual(parsed(text), { bootswarm: false, metadataId: undefined }, id)
  }
  assert.deepEqual(parsed('d1:mi1ee'), { bootswarm: false, metadataId: undefined })
})

test('no dictionary, or more than a client says of itself', () => {
  const deep = `d1:m${'l'.repeat(20)}${'e'.repeat(21)}`
  const long = `d1:v4100:${'x'.repeat(4_100)}e`
  const many = `d1:ml${'i1e'.repeat(1_000)}ee`
  for (const text of ['', 'i1e', 'le', '0:', 'd1:m', 'l-3:', 'd1:ml-3:ee', 'd-1:', deep, long, many]) {
    assert.equal(parsed(text), undefined, text.slice(0, 20))
  }
})
