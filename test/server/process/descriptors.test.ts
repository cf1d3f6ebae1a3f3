import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFilesMax, parseOpenFilesMax } from '../../../server/process/descriptors.js'

test('the soft limit on open files is read as the kernel shows it', () => {
  const limits = (soft: string) =>
    `Limit                     Soft Limit           Hard Limit           Units     \nMax processes             127                  127                  processes \nMax open files            ${soft.padEnd(21)}1048576              files     \n`
  assert.equal(parseOpenFilesMax(limits('20000')), 20_000)
  assert.equal(parseOpenFilesMax(limits('unlimited')), Number.MAX_SAFE_INTEGER)
  assert.equal(parseOpenFilesMax(''), 1024)
  assert.ok(openFilesMax() > 0)
})
