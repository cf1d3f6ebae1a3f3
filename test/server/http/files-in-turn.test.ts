import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FilesInTurn } from '../../../server/http/files-in-turn.js'
import { hangMs } from '../../support/limits.js'

const mine = '10.0.0.1'
const other = '10.0.0.2'

test('those of others count while they are known and do not crawl', () => {
  const files = new FilesInTurn()
  let crawls = false
  const file = { movedBytes: () => 0, isCrawling: () => crawls }
  const first = files.begin(other, file)
  const second = files.begin(other, file)
  assert.equal(files.haveNoOther(mine), false)
  assert.equal(files.haveNoOther(other), true)
  crawls = true
  files.takeMoved()
  assert.equal(files.haveNoOther(mine), true)
  crawls = false
  files.takeMoved()
  assert.equal(files.haveNoOther(mine), false)
  first.end()
  first.forget()
  first.forget()
  assert.equal(files.haveNoOther(mine), false)
  second.end()
  second.forget()
  assert.equal(files.haveNoOther(mine), true)
  assert.equal(files.size, 0)
})

test('a node that asks again without end costs the same each time', { timeout: hangMs }, () => {
  const files = new FilesInTurn()
  const file = { movedBytes: () => 0, isCrawling: () => false }
  const known = Array.from({ length: 300_000 }, () => files.begin(other, file))
  for (const { end } of known) end()
  for (const { forget } of known) forget()
  assert.equal(files.haveNoOther(mine), true)
})
