import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { findingCodes } from '../../doctor/finding.js'

test('docs/doctor.md lists every code with its severity, and no other, in order', () => {
  const rows = [...readFileSync('docs/doctor.md', 'utf8').matchAll(/^\| `([A-Z0-9_]+)` \| (\w+) \| .+ \|$/gm)]
  const listed = rows.map(([, code = '', severity = '']) => [code, severity])
  assert.deepEqual(listed, Object.entries(findingCodes).sort())
})
