import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkIpmitool } from '../../../server/power/ipmi.js'

test('a server without ipmitool says how to get it', (t) => {
  const { PATH } = process.env
  t.after(() => {
    process.env.PATH = PATH
  })
  process.env.PATH = '/nowhere'
  assert.throws(checkIpmitool, /ipmitool is not installed on the server: apt-get install ipmitool/)
})
