import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Intake } from '../../../server/catalog/intake.js'
import { catalogRecords } from '../../../server/catalog/records.js'
import { type FoundFile, scanArtifacts } from '../../../server/catalog/scan.js'
import { StoreDir } from '../../../server/catalog/store-dir.js'
import { openStore } from '../../../server/store/store.js'
import { scratch } from '../../support/scratch.js'

test('what inotify says was touched after it was read is read again, also with the same stamp', async (t) => {
  const dir = scratch(t)
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  const store = openStore({ file: ':memory:', log, nowMs: 0 })
  t.after(() => store.close())
  const storeDir = new StoreDir(dir)
  await storeDir.open()
  mkdirSync(join(dir, 'artifacts/boot'), { recursive: true })
  writeFileSync(join(dir, 'artifacts/boot/vmlinuz'), 'one')
  const read: string[] = []
  const intake = new Intake(
    catalogRecords(store),
    storeDir,
    { ...log, info: (_facts, message) => read.push(message) },
    { quietMs: 1000, oldMs: 0, growingMs: 60_000 },
    undefined,
  )
  const [file] = (await scanArtifacts(join(dir, 'artifacts'))).files as [FoundFile]
  let nowMs = Number(BigInt(file.stamp.mtimeNs) / 1_000_000n) + 10
  const take = async () => (await intake.take(file, () => nowMs)).outcome.kind
  const beforeMs = performance.now()
  assert.equal(await take(), 'ready')
  // Told late of the writing that made the file.
  intake.touched(new Map([['boot/vmlinuz', beforeMs]]))
  assert.equal(await take(), 'ready')
  assert.equal(read.length, 1)

  intake.touched(new Map([['boot/vmlinuz', performance.now()]]))
  assert.equal(await take(), 'pending')
  nowMs += 999
  assert.equal(await take(), 'pending')
  nowMs += 1
  assert.equal(await take(), 'ready')
  assert.equal(read.length, 2)
  assert.equal(await take(), 'ready')
  assert.equal(read.length, 2)
  await intake.rest()
})
