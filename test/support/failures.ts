/** What parts of a server say of their failures, for tests of these parts. */
import assert from 'node:assert/strict'
import { Failures } from '../../server/process/failures.js'

/** Failures of which there shall be none. */
export function noFailures(): Failures {
  return new Failures({ error: (_facts, message) => assert.fail(message), info: () => {} }, () => 0)
}

/** Failures, and the lines of the log about them. */
export function toldFailures(): { readonly failures: Failures; readonly said: string[] } {
  const said: string[] = []
  const log = (_facts: object, message: string) => void said.push(message)
  return { failures: new Failures({ error: log, info: log }, () => 0), said }
}
