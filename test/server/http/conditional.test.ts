import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluatePreconditions, httpDate, rangeCounts } from '../../../server/http/conditional.js'

const file = { etag: '"abc"', lastModifiedS: 1_700_000_000 }
const older = httpDate(file.lastModifiedS - 60)
const same = httpDate(file.lastModifiedS)
const newer = httpDate(file.lastModifiedS + 60)

test('If-None-Match compares weakly and wins over If-Modified-Since', () => {
  assert.equal(evaluatePreconditions({ 'if-none-match': '"abc"' }, file), 'not-modified')
  assert.equal(evaluatePreconditions({ 'if-none-match': 'W/"abc"' }, file), 'not-modified')
  assert.equal(evaluatePreconditions({ 'if-none-match': '"x", "abc"' }, file), 'not-modified')
  assert.equal(evaluatePreconditions({ 'if-none-match': '*' }, file), 'not-modified')
  assert.equal(evaluatePreconditions({ 'if-none-match': '"x"', 'if-modified-since': newer }, file), 'proceed')
})

test('If-Modified-Since holds at the same second', () => {
  assert.equal(evaluatePreconditions({ 'if-modified-since': same }, file), 'not-modified')
  assert.equal(evaluatePreconditions({ 'if-modified-since': older }, file), 'proceed')
  assert.equal(evaluatePreconditions({ 'if-modified-since': 'yesterday' }, file), 'proceed')
})

test('If-Match compares strongly and wins over If-Unmodified-Since', () => {
  assert.equal(evaluatePreconditions({ 'if-match': '"abc"' }, file), 'proceed')
  assert.equal(evaluatePreconditions({ 'if-match': 'W/"abc"' }, file), 'failed')
  assert.equal(evaluatePreconditions({ 'if-match': '"x"' }, file), 'failed')
  assert.equal(evaluatePreconditions({ 'if-match': '"abc"', 'if-unmodified-since': older }, file), 'proceed')
  assert.equal(evaluatePreconditions({ 'if-unmodified-since': older }, file), 'failed')
  assert.equal(evaluatePreconditions({ 'if-unmodified-since': same }, file), 'proceed')
})

test('If-Range lets a range count only with our own strong validator', () => {
  assert.equal(rangeCounts(undefined, file), true)
  assert.equal(rangeCounts('"abc"', file), true)
  assert.equal(rangeCounts('W/"abc"', file), false)
  assert.equal(rangeCounts('"other"', file), false)
  assert.equal(rangeCounts(same, file), true)
  assert.equal(rangeCounts(newer, file), false)
  assert.equal(rangeCounts('nonsense', file), false)
})
