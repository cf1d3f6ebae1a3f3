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

test('a misspelt kind of image is answered with the right one', async () => {
  await assert.rejects(main(['stag1']), { message: /there is no image "stag1": did you mean stage1\?/ })
})
