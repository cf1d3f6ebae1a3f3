import assert from 'node:assert/strict'
import { test } from 'node:test'
import { helpOf, type Outline, readCall } from '../../cli/outline.js'

const help = { name: 'help', description: 'this text' }
const outline: Outline = {
  name: 'node',
  summary: 'nodes',
  flags: [],
  parts: [
    {
      name: 'list',
      summary: 'all',
      words: '[NODES]',
      details: ['More.'],
      flags: [
        { name: 'last', short: 'n', value: 'N', description: 'so many' },
        { name: 'json', description: 'JSON' },
        help,
      ],
    },
    { name: 'label', summary: 'one', words: 'NODES [TEXT]', flags: [help] },
  ],
}
const call = (...args: string[]) => {
  const reading = readCall(outline, args)
  return 'help' in reading
    ? reading.help.split('\n')[0]
    : [reading.call.path.join(' '), ...reading.call.words, Object.fromEntries(reading.call.flags)]
}

test('names, words and flags in any order', () => {
  assert.deepEqual(call('list'), ['node list', {}])
  assert.deepEqual(call('list', '--json', 'a,b', '-n', '5'), ['node list', 'a,b', { json: '', last: '5' }])
  assert.deepEqual(call('list', '--last=1', '--last', '2'), ['node list', { last: '2' }])
  assert.deepEqual(call('label', 'a', '--', '--odd'), ['node label', 'a', '--odd', {}])
})

test('what is wrong is said exactly', () => {
  for (const [args, message] of [
    [[], 'node what? list, label'],
    [['--json'], 'node what? list, label'],
    [['lst'], 'there is no node "lst": did you mean list?'],
    [['zebra'], 'there is no node "zebra": list, label'],
    [['list', 'a', 'b'], '"b" is one word too many: see --help'],
    [['list', '--jsn'], 'there is no flag --jsn: did you mean --json?'],
    [['list', '-x'], 'there is no flag -x: see --help'],
    [['list', '--last'], '--last needs a value'],
    [['list', '--last='], '--last needs a value'],
    [['label'], 'node label needs NODES [TEXT]: see --help'],
  ] as const) {
    assert.throws(() => readCall(outline, args), { code: 'USAGE_INVALID', message })
  }
})

test('the help of a command names its parts, that of a part its flags', () => {
  assert.equal(call('--help'), 'bootswarm node ...: nodes')
  assert.equal(call('list', '-h'), 'bootswarm node list [NODES] [options]: all')
  const [list] = outline.parts ?? []
  assert.ok(list)
  assert.equal(
    helpOf(list, ['node', 'list']),
    `bootswarm node list [NODES] [options]: all

More.

  -n, --last N              so many
  --json                    JSON
  --help                    this text
`,
  )
})
