import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isQuick, needsRoot, testFiles } from '../../scripts/test/files.js'
import { suite } from '../../scripts/test/suite.js'
import { scratch } from '../support/scratch.js'

/** Not in one word: this file would be taken for a test that needs root. */
const asks = ['process', 'getuid?.() === 0'].join('.')

test('a test needs root when it, or a helper of the tests that it imports, asks who it runs as', (t) => {
  const base = join(scratch(t), 'dist', 'test')
  const write = (name: string, text: string) => {
    mkdirSync(join(base, name, '..'), { recursive: true })
    writeFileSync(join(base, name), text)
    return join(base, name)
  }
  write('support/root.js', `export const root = ${asks}`)
  write('support/through.js', "import './root.js'\nexport { root } from './root.js'")
  write('../server/become.js', asks)
  const plain = write('a/plain.test.js', "import { x } from '../../server/become.js'")
  const itself = write('a/itself.test.js', `if (${asks}) skip()`)
  const through = write('a/deep/through.test.js', "import { root } from '../../support/through.js'")
  write('a/helper.js', '')
  assert.deepEqual(testFiles(['a', 'none'], base), [through, itself, plain])
  assert.deepEqual([plain, itself, through].map(needsRoot), [false, true, true])
  write('support/processes.js', 'export function until() {}\nexport function startServer() {}')
  write('support/yard.js', "import { startServer } from './processes.js'")
  const light = write('a/light.test.js', "import { until } from '../support/processes.js'")
  const heavy = write('a/heavy.test.js', "import { farm } from '../support/yard.js'")
  assert.deepEqual([plain, light, heavy].map(isQuick), [true, true, false])
})

test('no step is without tests, no test file is in none or in two, and quick needs no root', () => {
  const steps = suite()
  const all = testFiles(['.'])
  const run = steps.flatMap(({ command }) => command.filter((word) => word.endsWith('.test.js')))
  assert.deepEqual([...run].sort(), all)
  for (const { name, quick } of steps) {
    const files = quick?.command.filter((word) => word.endsWith('.test.js')) ?? []
    if (name === 'unit') assert.ok(files.length > 50)
    assert.deepEqual(files.filter(needsRoot), [])
  }
})

test('each tool is named once in a step', () => {
  for (const { name, tools } of suite()) {
    const names = tools.map((tool) => tool.name)
    assert.deepEqual(names, [...new Set(names)], name)
  }
})
