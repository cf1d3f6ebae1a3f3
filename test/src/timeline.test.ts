import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { bootEventTypes } from '../../src/events.js'
import { boundedData, eventSources, factTypes, operatorActions } from '../../src/timeline.js'

test('types and sources are those of docs/timeline.md', () => {
  const page = readFileSync('docs/timeline.md', 'utf8')
  const table = page.split('## Types')[1]?.split('\n## ')[0] ?? ''
  const rows = [...table.matchAll(/^\| (`.*?`) \| (`.*?`) \|/gm)]
  const names = (text: string) => [...text.matchAll(/`([a-z0-9.-]+)`/g)].map((match) => match[1] ?? '')
  assert.deepEqual(
    rows.flatMap((row) => names(row[1] ?? '')).sort(),
    [...factTypes, ...operatorActions].sort(),
  )
  const sources = /^\| `source` \| (.*) \|$/m.exec(page)?.[1] ?? ''
  assert.deepEqual(names(sources), [...eventSources])
  const unknown = rows.flatMap((row) => names(row[2] ?? '')).filter((name) => !names(sources).includes(name))
  assert.deepEqual(unknown, [])
  assert.deepEqual(
    [...factTypes, ...operatorActions].filter((type) => (bootEventTypes as readonly string[]).includes(type)),
    [],
    'an agent cannot be taken for the server',
  )
})

test('texts of a fact are cut, and nothing else changes', () => {
  const data = { a: 'x', b: 1, c: true }
  assert.equal(boundedData(data), data)
  assert.deepEqual(boundedData({ ...data, d: 'y'.repeat(257) }), { ...data, d: `${'y'.repeat(256)}…` })
})
