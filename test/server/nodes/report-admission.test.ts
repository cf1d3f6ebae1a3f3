import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReportAdmission } from '../../../server/nodes/report-admission.js'

/** What was taken in of a load, on a clock of its own. */
function place() {
  let nowMs = 0
  const lines: string[] = []
  const log = { warn: (_facts: object, line: string) => void lines.push(line) }
  const admission = new ReportAdmission(log, () => nowMs)
  const post = (node: string, address: string, isKnown = false, bytes = 700): number => {
    try {
      admission.admit({ node, address, isKnown }, bytes)
      return 0
    } catch (error) {
      const { code, retryAfterS } = error as { code: string; retryAfterS: number }
      assert.equal(code, 'REPORTS_TOO_MANY')
      return retryAfterS
    }
  }
  return { admission, lines, post, pass: (ms: number) => (nowMs += ms) }
}

test('500 nodes behind one address boot within eight seconds and report for an hour, and none is refused', () => {
  for (const isKnown of [true, false]) {
    const { admission, post, pass } = place()
    const nodes = Array.from({ length: 500 }, (_, n) => `rig-${n}`)
    for (let n = 0; n < 8; n += 1) {
      for (const node of nodes) assert.equal(post(node, '192.0.2.1', isKnown), 0)
      pass(1000)
    }
    for (let second = 0; second < 3600; second += 10) {
      for (const node of nodes) assert.equal(post(node, '192.0.2.1', isKnown, 300), 0)
      pass(10_000)
    }
    assert.equal(admission.refused, 0)
  }
})

test('500 nodes that could not report for an hour are heard out within two minutes', () => {
  const { post, pass } = place()
  const left = new Map(Array.from({ length: 500 }, (_, n) => [`rig-${n}`, 4]))
  let waited = 0
  for (; left.size > 0; waited += 1) {
    for (const [node, posts] of left) {
      if (post(node, '192.0.2.1', true, 14_000) > 0) continue
      if (posts === 1) left.delete(node)
      else left.set(node, posts - 1)
    }
    pass(1000)
  }
  assert.ok(waited < 120, `${waited} s`)
})

test('a node, and whoever sends in its name from elsewhere, is held to its own rate', () => {
  const { post, pass, lines } = place()
  let taken = 0
  while (post('rig-1', '10.0.0.9', true) === 0) taken += 1
  assert.ok(taken > 100 && taken < 200, `${taken}`)
  assert.equal(post('rig-1', '10.0.0.1', true), 0, 'the node itself is heard')
  assert.equal(post('rig-2', '10.0.0.9', true), 0)
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /^10\.0\.0\.9 sends more reports/)
  const waitS = post('rig-1', '10.0.0.9', true, 64_000)
  pass(waitS * 1000)
  assert.equal(post('rig-1', '10.0.0.9', true, 64_000), 0, 'what it was told holds')
})

test('invented names from one address, or from hundreds, leave known nodes their half', () => {
  for (const addresses of [1, 300]) {
    const { post, pass } = place()
    for (let second = 0; second < 60; second += 1) {
      for (let n = 0; n < 20_000; n += 1) post(`invented-${second}-${n}`, `10.1.${n % addresses}.1`)
      for (let n = 0; n < 500; n += 1) {
        // Behind the same address as the flood.
        assert.equal(post(`rig-${n}`, '10.1.0.1', true, 200), 0, `second ${second}, node ${n}`)
      }
      pass(1000)
    }
  }
})

test('a few addresses that report without end leave a part for all others', () => {
  const { post, pass } = place()
  for (let second = 0; second < 120; second += 1) {
    for (let n = 0; n < 2000; n += 1) post(`claimed-${n % 400}`, `10.1.0.${n % 4}`, true)
    for (let n = second % 10; n < 500; n += 10)
      assert.equal(post(`rig-${n}`, '10.2.0.1', true, 300), 0, `second ${second}`)
    pass(1000)
  }
})

test('several addresses that report without end delay nobody else, nor nodes that boot for the first time', () => {
  for (const isKnown of [true, false]) {
    const { post, pass } = place()
    for (let second = 0; second < 60; second += 1) {
      for (let n = 0; n < 4800; n += 1) post(`invented-${n % 2400}`, `10.1.0.${n % 12}`, isKnown)
      for (let n = second % 10; n < 500; n += 10) {
        const address = `10.2.${n >> 8}.${n & 255}`
        assert.equal(post(`rig-${n}`, address, isKnown, 300), 0, `second ${second}, node ${n}`)
      }
      pass(1000)
    }
  }
})

test('buckets are bounded, and so is what a flood of addresses is let in', () => {
  const { admission, post } = place()
  let taken = 0
  for (let n = 0; n < 100_000; n += 1)
    if (post(`x-${n}`, `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`) === 0) taken += 1
  assert.ok(taken <= 8400, `${taken}`)
  assert.equal(admission.refused, 100_000 - taken)
})
