import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { KnownServers } from '../../../cli/operators/known-servers.js'
import { scratch } from '../../support/scratch.js'

const key = Buffer.from('key')
const other = Buffer.from('other')
const sha256 = createHash('sha256').update(key).digest('hex')

test('a server is asked about once, and trusted by its key from then on', async (t) => {
  const file = join(scratch(t), 'config', 'known-servers')
  const questions: string[] = []
  let answer = false
  const ask = async (question: string) => {
    questions.push(question)
    return answer
  }
  const servers = new KnownServers({ file, ask })
  await assert.rejects(servers.check('a:1', key, undefined), { code: 'SERVER_KEY_UNKNOWN' })
  answer = true
  await servers.check('a:1', key, undefined)
  assert.ok(questions.every((question) => question.includes(sha256)) && questions.length === 2)
  assert.equal(readFileSync(file, 'utf8'), `a:1 ${sha256}\n`)
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const later = new KnownServers({ file, ask: undefined })
  await later.check('a:1', key, undefined)
  await assert.rejects(later.check('a:1', other, undefined), {
    code: 'SERVER_KEY_CHANGED',
    message: /known-servers/,
  })
  await assert.rejects(later.check('a:11', key, undefined), {
    code: 'SERVER_KEY_UNKNOWN',
    message: /--fingerprint/,
  })
})

test('a fingerprint that is given decides alone, and is not remembered', async (t) => {
  const file = join(scratch(t), 'known-servers')
  const servers = new KnownServers({ file, ask: undefined })
  await servers.check('a:1', key, sha256)
  await assert.rejects(servers.check('a:1', other, sha256), { code: 'SERVER_KEY_CHANGED' })
  assert.equal(statSync(file, { throwIfNoEntry: false }), undefined)
})
