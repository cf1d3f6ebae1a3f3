import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { findingCodes } from '../../doctor/finding.js'
import { stopCauses } from '../../server/timeline/where-it-stopped.js'

test('docs/troubleshooting.md names only codes that exist', () => {
  const errors = readFileSync('docs/errors.md', 'utf8')
  const named = [
    ...readFileSync('docs/troubleshooting.md', 'utf8').matchAll(/`([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)`/g),
  ]
  const codes = [...new Set(named.map(([, code = '']) => code))].filter(
    (code) => !code.startsWith('CONFIG_RD_'),
  )
  assert.ok(codes.length > 40)
  const causes: readonly string[] = stopCauses
  const isKnown = (code: string) =>
    code in findingCodes || causes.includes(code) || errors.includes(`| \`${code}\` |`)
  const unknown = codes.filter((code) => !isKnown(code))
  assert.deepEqual(unknown, [])
})
