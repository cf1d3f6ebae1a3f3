import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { findingCodes } from '../../doctor/finding.js'

test('docs/troubleshooting.md names only codes that exist', () => {
  const errors = readFileSync('docs/errors.md', 'utf8')
  const named = [
    ...readFileSync('docs/troubleshooting.md', 'utf8').matchAll(/`([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)`/g),
  ]
  const codes = [...new Set(named.map(([, code = '']) => code))].filter(
    (code) => !code.startsWith('CONFIG_RD_'),
  )
  assert.ok(codes.length > 40)
  const unknown = codes.filter((code) => !(code in findingCodes) && !errors.includes(`| \`${code}\` |`))
  assert.deepEqual(unknown, [])
})
