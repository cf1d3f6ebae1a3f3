import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expandHostlist } from '../../src/hostlist.js'
import { fuzzed, outcome } from '../fuzz.js'

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
