import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { errorCodes } from '../../src/errors.js'

const rows = readFileSync('docs/errors.md', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => {
    const [, code = '', from = '', meaning = '', todo = ''] = line.split('|').map((cell) => cell.trim())
    return { code: code.replaceAll('`', ''), from: from.split(', '), meaning, todo }
  })
const agentCodes = [
  ...readFileSync('initramfs-agent/src/core/error.rs', 'utf8').matchAll(
    /^ {4}[A-Za-z0-9]+ = "([A-Z0-9_]+)",$/gm,
  ),
].map((match) => match[1] ?? '')

test('docs/errors.md lists every code of server, tools and agent, and no other', () => {
  const from = (who: string) => rows.filter((row) => row.from.includes(who)).map((row) => row.code)
  // The tools of bench/ share the server's list.
  const typescript = new Set([...from('server'), ...from('bench')])
  assert.deepEqual([...typescript].sort(), [...errorCodes].sort())
  assert.deepEqual(from('agent').sort(), agentCodes.sort())
  assert.ok(agentCodes.length > 20)
})

test('the table is sorted, and every row says what it means and what to do', () => {
  const codes = rows.map((row) => row.code)
  assert.deepEqual(codes, [...codes].sort())
  assert.equal(new Set(codes).size, codes.length)
  for (const row of rows) assert.ok(row.meaning && row.todo, row.code)
})
