import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type IngestJob, type IngestResult, runIngest } from '../../../server/catalog/ingest-job.js'
import { stampOf } from '../../../server/catalog/scan.js'

interface Setup {
  readonly path: string
  readonly dir: string
  readonly storeDir: string
  /** Runs the job; `meddle` is called once in the middle of reading. */
  run(meddle?: () => void): Promise<IngestResult>
}

function setUp(t: TestContext): Setup {
  const dir = mkdtempSync(join(tmpdir(), 'bootswarm-ingest-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const path = join(dir, 'file')
  const storeDir = join(dir, 'store')
  mkdirSync(storeDir)
  writeFileSync(join(dir, 'content'), randomBytes(3_000_000))
  execFileSync('tar', ['-cf', path, '-C', dir, 'content'])
  const stamp = stampOf(statSync(path, { bigint: true }))
  const job: IngestJob = { path, name: 'file', kind: 'rootfs', stamp, storeDir, id: 1 }
  const run = (meddle = () => {}) => {
    let met = false
    return runIngest(job, () => {
      if (!met) meddle()
      met = true
    })
  }
  return { path, dir, storeDir, run }
}

/** What a failed job says, as a code. */
function outcome(result: IngestResult): string {
  if (result.ok) return 'ok'
  return result.failure.kind === 'changed' ? 'changed' : result.failure.code
}

test('an undisturbed file is taken in, readable by us alone', async (t) => {
  const { run, storeDir } = setUp(t)
  const result = await run()
  assert.ok(result.ok)
  assert.deepEqual(readdirSync(storeDir), [result.value.sha256])
  assert.equal(statSync(join(storeDir, result.value.sha256)).mode & 0o777, 0o600)
})

const disturbances: readonly [string, (setup: Setup) => void, string][] = [
  ['removed', ({ path }) => rmSync(path), 'ARTIFACT_VANISHED'],
  ['lengthened', ({ path }) => appendFileSync(path, 'more'), 'changed'],
  ['shortened', ({ path }) => truncateSync(path, 2_000_000), 'changed'],
  ['shortened to nothing', ({ path }) => truncateSync(path, 0), 'changed'],
  ['overwritten in place', ({ path }) => writeFileSync(path, randomBytes(statSync(path).size)), 'changed'],
  [
    'replaced by another',
    ({ path, dir }) => {
      writeFileSync(join(dir, 'new'), randomBytes(3_000_000))
      renameSync(join(dir, 'new'), path)
    },
    'changed',
  ],
  ['replaced by a directory', ({ path }) => [rmSync(path), mkdirSync(path)], 'changed'],
]

for (const [name, disturb, expected] of disturbances) {
  test(`a file that is ${name} while it is read leaves nothing behind`, async (t) => {
    const setup = setUp(t)
    assert.equal(outcome(await setup.run(() => disturb(setup))), expected)
    assert.deepEqual(readdirSync(setup.storeDir), [])
  })
}

test('what is no file any more when the job begins is told apart, and a pipe does not hold us', async (t) => {
  const { path, run } = setUp(t)
  rmSync(path)
  assert.equal(outcome(await run()), 'ARTIFACT_VANISHED')
  mkdirSync(path)
  assert.equal(outcome(await run()), 'ARTIFACT_NOT_A_FILE')
  rmSync(path, { recursive: true })
  execFileSync('mkfifo', [path])
  assert.equal(outcome(await run()), 'ARTIFACT_NOT_A_FILE')
})

test('a full data directory is its own problem, not the file’s', async (t) => {
  const { storeDir, run } = setUp(t)
  if (process.getuid?.() !== 0) return t.skip('needs root to mount a small file system')
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', storeDir])
  try {
    assert.equal(outcome(await run()), 'DATA_DIR_UNUSABLE')
    assert.deepEqual(readdirSync(storeDir), [])
  } finally {
    execFileSync('umount', [storeDir])
  }
})
