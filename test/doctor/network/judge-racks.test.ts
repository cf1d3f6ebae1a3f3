import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeRacks } from '../../../doctor/network/judge-racks.js'
import { makeSite } from '../support-site.js'

const judge = (yaml: string, rack?: [string, number]) =>
  judgeRacks(
    makeSite(yaml, rack === undefined ? {} : { largestRack: { name: rack[0], nodes: rack[1] } }),
  ).map(({ code, severity, seen }) => `${severity} ${code}: ${seen.slice(0, 60)}`)

test('a rack by subnet with more nodes than a switch has ports', () => {
  assert.deepEqual(judge('', ['10.77.0.0/24', 48]), [])
  assert.deepEqual(judge(''), [])
  assert.deepEqual(judge('', ['10.77.0.0/24', 250]), [
    'hurts RACK_TOO_LARGE: 250 nodes count as one rack, 10.77.0.0/24, for they share a ',
  ])
  const [found] = judgeRacks(makeSite('', { largestRack: { name: '10.77.0.0/24', nodes: 49 } }))
  assert.match(found?.remedy ?? '', /`racks` in the configuration.*`behind`/)
})

test('a rack that the configuration names is the operator’s word, and noted', () => {
  const yaml = 'racks: [{name: east, subnets: [10.77.0.0/16]}]\nnodes: [{match: a, rack: west}]'
  for (const name of ['east', 'west']) {
    assert.match(
      judge(yaml, [name, 240]).join(),
      new RegExp(`^note RACK_TOO_LARGE: 240 nodes count as one rack, ${name}`),
    )
  }
  assert.match(judge(yaml, ['10.78.0.0/24', 240]).join(), /^hurts/)
})

test('a list of nodes tells it without a server; the entries of a rack count together', () => {
  const yaml =
    'racks: [{name: a, nodes: "a[1-30]"}, {name: a, nodes: "b[1-30]"}, {name: c, nodes: "c[1-48]"}]'
  assert.match(judge(yaml).join(), /^note RACK_TOO_LARGE: 60 nodes count as one rack, a/)
  assert.match(judge(yaml, ['10.77.0.0/24', 61]).join(), /^hurts RACK_TOO_LARGE: 61/)
})
