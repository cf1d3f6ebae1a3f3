import assert from 'node:assert/strict'
import { test } from 'node:test'
import { main } from '../../image/main.js'
import { BootswarmError } from '../../src/errors.js'

test('a kind of image must be named', async () => {
  for (const args of [[], ['stage2'], ['--json']]) {
    await assert.rejects(main(args), (error) => {
      assert.ok(error instanceof BootswarmError && error.code === 'USAGE_INVALID')
      assert.match(error.message, /stage1/)
      return true
    })
  }
})
