import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { forgetPorts, readServerPid, writePortsFile } from '../../../server/process/ports-file.js'
import { isDataDirLocked, lockDataDir } from '../../../server/store/lock.js'
import { scratch } from '../../support/scratch.js'

test('whether a server holds a data directory is seen without taking it', (t) => {
  const directory = scratch(t)
  assert.equal(isDataDirLocked(directory), false)
  const lock = lockDataDir(directory)
  assert.equal(isDataDirLocked(directory), true)
  assert.throws(() => lockDataDir(directory), { code: 'DATA_DIR_LOCKED' })
  lock.release()
  assert.equal(isDataDirLocked(directory), false)
  lockDataDir(directory).release()
  // What cannot be read as a lock says nothing.
  mkdirSync(join(directory, 'other/lock'), { recursive: true })
  assert.equal(isDataDirLocked(join(directory, 'other')), undefined)
})

test('the process id that a server left behind is gone before the next one writes its own', (t) => {
  const directory = scratch(t)
  assert.equal(readServerPid(directory), undefined)
  writePortsFile(directory, { http: 1, https: 2, seeder: 3, dht: 4, operators: 5 }, 4711)
  assert.equal(readServerPid(directory), 4711)
  forgetPorts(directory)
  assert.equal(readServerPid(directory), undefined)
})
