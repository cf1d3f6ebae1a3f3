import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flagsHelp, parseFlags } from '../../src/command-line.js'
import { BootswarmError } from '../../src/errors.js'

const flags = [
  { name: 'out', value: 'DIR', description: 'where it goes' },
  { name: 'json', description: 'as JSON' },
  { name: 'log', value: 'true|false', valueOptional: true, description: 'log it' },
  { name: 'http', value: 'true|false', valueOptional: true, negatable: true, description: 'over HTTP' },
  { name: 'help', description: 'this text' },
] as const

test('every way to write a flag, in the order given', () => {
  const words = [
    '--out',
    'a',
    '--json',
    '--out=b=c',
    '-h',
    '--log',
    '--log=false',
    '--out=',
    '--out',
    '-x',
    '--no-http',
    '--http',
  ]
  assert.deepEqual(
    parseFlags(words, flags).map(({ name, value }) => [name, value]),
    [
      ['out', 'a'],
      ['json', undefined],
      ['out', 'b=c'],
      ['help', undefined],
      ['log', undefined],
      ['log', 'false'],
      ['out', ''],
      ['out', '-x'],
      ['http', 'false'],
      ['http', undefined],
    ],
  )
})

test('what is wrong is said exactly', () => {
  for (const [words, message] of [
    [['--ouy', 'a'], 'there is no flag --ouy: did you mean --out?'],
    [['--ouy=a'], 'there is no flag --ouy: did you mean --out?'],
    [['--quite-another'], 'there is no flag --quite-another: see --help'],
    [['--__proto__=1'], 'there is no flag --__proto__: see --help'],
    [['--no-json'], 'there is no flag --no-json: did you mean --json?'],
    [['-x'], 'there is no flag -x: see --help'],
    [['a word'], '"a word" is no flag'],
    [['--log', 'false'], '"false" is no flag'],
    [['--', '--json'], '"--" is no flag'],
    [[''], '"" is no flag'],
    [['--json=yes'], '--json takes no value'],
    [['--json='], '--json takes no value'],
    [['--out'], '--out needs a value'],
    [['--no-http=true'], '--no-http takes no value'],
    [['--no-log'], 'there is no flag --no-log: did you mean --log?'],
    [['x'.repeat(100)], `"${'x'.repeat(80)}" is no flag`],
  ] as const) {
    assert.throws(
      () => parseFlags(words, flags),
      (error) =>
        error instanceof BootswarmError && error.code === 'USAGE_INVALID' && error.message === message,
      words.join(' '),
    )
  }
})

test('the help lists them in two columns', () => {
  const long = { name: 'a-name-that-is-long', value: 'VALUE', description: 'what it does' }
  assert.equal(
    flagsHelp([...flags.slice(0, 2), flags[3], long], 16),
    [
      '  --out DIR     where it goes',
      '  --json        as JSON',
      '  --http, --no-http',
      '                over HTTP',
      '  --a-name-that-is-long VALUE',
      '                what it does',
      '',
    ].join('\n'),
  )
})
