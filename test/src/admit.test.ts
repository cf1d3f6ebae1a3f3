import assert from 'node:assert/strict'
import { test } from 'node:test'
import { admitModes, type Candidate, holdOf } from '../../src/admit.js'

test('who may boot by each value of admit', () => {
  const nothing = { isNamed: false, hasBooted: false, isApproved: false, drained: undefined }
  const candidates: readonly [string, Candidate, string][] = [
    ['a stranger', nothing, 'any'],
    ['in the configuration', { ...nothing, isNamed: true }, 'any known approved'],
    ['has booted', { ...nothing, hasBooted: true }, 'any known'],
    ['drained', { ...nothing, isNamed: true, isApproved: true, drained: '' }, ''],
    ['approved', { ...nothing, isApproved: true }, 'any known approved'],
  ]
  for (const [who, candidate, modes] of candidates)
    assert.equal(admitModes.filter((mode) => holdOf(mode, candidate) === undefined).join(' '), modes, who)
})
