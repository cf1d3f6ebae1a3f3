import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expandHostlist, foldHostlist } from '../../src/hostlist.js'
import { fuzzed, outcome, randomFrom } from '../fuzz.js'

test('what a hostlist stands for', () => {
  const cases: [string, string[]][] = [
    ['rig1', ['rig1']],
    ['rig[008-011]', ['rig008', 'rig009', 'rig010', 'rig011']],
    ['rig[8-11]', ['rig8', 'rig9', 'rig10', 'rig11']],
    ['a,b[1-3,7]', ['a', 'b1', 'b2', 'b3', 'b7']],
    ['r[1-2]n[01-02]', ['r1n01', 'r1n02', 'r2n01', 'r2n02']],
    ['n[1-2].lab', ['n1.lab', 'n2.lab']],
    ['a, a ,A', ['a']],
    ['AA-BB-CC-00-11-22', ['aa:bb:cc:00:11:22']],
    ['52:54:00:00:00:[01-02]', ['52:54:00:00:00:01', '52:54:00:00:00:02']],
  ]
  for (const [text, names] of cases) assert.deepEqual(expandHostlist(text), names, text)
})

test('what is refused, and why', () => {
  const cases: [string, RegExp][] = [
    ['', /empty name/],
    ['a,,b', /empty name/],
    ['a[', /brackets do not match/],
    ['a]', /brackets do not match/],
    ['a[[1]]', /brackets do not match/],
    ['a[]', /is no range/],
    ['a[x]', /is no range/],
    ['a[1-2-3]', /is no range/],
    ['a[3-1]', /runs backwards/],
    ['a[1-999999999]', /more than 16384 names/],
    ['a[1-200][1-200]', /more than 16384 names/],
    ['a[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]', /more than 16384 names/],
    ['rig 1', /no node identity/],
    [`${'x'.repeat(65)}`, /no node identity/],
    ['x'.repeat(4097), /longer than 4096/],
  ]
  for (const [text, message] of cases) {
    assert.throws(() => expandHostlist(text), { code: 'CONFIG_INVALID', message }, text)
  }
})

test('mutations end in names or in the code', () => {
  for (const bytes of fuzzed(Buffer.from('a,rig[001-240]b[1-3,7],52:54:00:00:00:[01-02]'), 4, 3000)) {
    const result = outcome(() => assert.ok(expandHostlist(bytes.toString('latin1')).length > 0))
    assert.match(result, /^(ok|CONFIG_INVALID)$/)
  }
})

test('many names are folded into one hostlist', () => {
  const cases: [string[], string][] = [
    [[], ''],
    [['rig1'], 'rig1'],
    [['rig3', 'rig1', 'rig2', 'rig1'], 'rig[1-3]'],
    [['rig1', 'rig3'], 'rig[1,3]'],
    [['rig008', 'rig009', 'rig010', 'rig100'], 'rig[008-010,100]'],
    [['rig8', 'rig9', 'rig10'], 'rig[8-10]'],
    [['rig9', 'rig09', 'rig10'], 'rig[9,09-10]'],
    [['r1n1.lab', 'r1n2.lab', 'r2n1.lab'], 'r1n[1-2].lab,r2n1.lab'],
    [['52:54:00:00:00:02', '52:54:00:00:00:01'], '52:54:00:00:00:01,52:54:00:00:00:02'],
    [['n99999999998', 'n99999999999', 'n100000000000'], 'n100000000000,n99[999999998-999999999]'],
  ]
  for (const [names, text] of cases) assert.equal(foldHostlist(names), text)
  assert.equal(foldHostlist(expandHostlist('rig[001-240],x[1-16]')), 'rig[001-240],x[1-16]')
})

test('what is folded stands for the same names', () => {
  const letters = ['rig', '0', '00', '1', '9', '10', '99', '.', '-', 'a', '123456789012']
  for (let seed = 1; seed <= 300; seed++) {
    const draw = randomFrom(seed)
    const names = Array.from({ length: 1 + draw(20) }, () => {
      const tail = Array.from({ length: draw(4) }, () => letters[draw(letters.length)]).join('')
      return `n${tail}`
    })
    const folded = foldHostlist(names)
    assert.deepEqual(
      [...expandHostlist(folded)].sort(),
      [...new Set(names)].sort(),
      `seed ${seed}: ${folded}`,
    )
  }
})
