/** Archives that nodes refuse, asked about with the agent's real executable. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { installedAgent } from '../../../host/agent-binary.js'
import type { Catalog } from '../../../server/catalog/catalog.js'
import { Checker, readAnswer } from '../../../server/catalog/checker.js'
import { scratch } from '../../support/scratch.js'
import { Bench, tarball, until } from './support.js'

const checker = (agent = installedAgent(), inits: readonly string[] = []) =>
  new Checker({ agent, inits: () => inits })

/** Refuses an agent that cannot be asked: the tests would wait for verdicts that never come. */
async function demandChecks(agent: string): Promise<void> {
  const answer = await checker(agent, ['/init']).check('/nonexistent', 'rootfs', 'x.tar', 1)
  if (answer.kind === 'no agent') throw new Error(`${agent}: ${answer.message}; \`npm run build\` renews it`)
}
await demandChecks(installedAgent())

const names = (catalog: Catalog) => catalog.live.current?.artifacts.map(({ name }) => name).sort()
const version = (catalog: Catalog) => catalog.live.current?.version ?? 0
const problems = (catalog: Catalog) => catalog.problems.map(({ code, name }) => `${code} ${name}`).sort()

function bench(t: TestContext): Bench {
  const made = new Bench()
  t.after(() => made.end())
  return made
}

/** Packs what a shell script leaves in a directory. */
function packed(t: TestContext, script: string, pack = 'tar -cf - .'): Buffer {
  const dir = join(scratch(t), 'tree')
  mkdirSync(dir)
  execFileSync('bash', ['-ec', script], { cwd: dir })
  return execFileSync('bash', ['-ec', pack], {
    cwd: dir,
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

test('what every node would refuse is not published: the reason is said, the last good content stays', async (t) => {
  const site = bench(t)
  const good = await tarball('p', Buffer.alloc(200_000, 'plugin'))
  site.put('rootfs/base.tar.gz', await tarball('a', 'a'))
  site.put('plugins/cut-gzip.tar.gz', good)
  const first = await site.start({ checker: checker() })
  await until('published', () => version(first) === 1)

  site.put('plugins/cut-gzip.tar.gz', good.subarray(0, good.length - 20))
  site.put('plugins/cut-tar.tar', gunzipSync(good).subarray(0, 150_000))
  site.put('plugins/sparse.tar', packed(t, 'truncate -s 1M big', 'tar -S -cf - big'))
  site.put('plugins/dots.tar', packed(t, 'mkdir d; touch a', 'cd d; tar -P -cf - ../a'))
  site.put('plugins/device.tar', packed(t, 'mkfifo pipe'))
  site.put('plugins/fine.tar', packed(t, 'echo fine > fine'))
  const refused = ['cut-gzip.tar.gz', 'cut-tar.tar', 'device.tar', 'dots.tar', 'sparse.tar']
  const isSo = (catalog: Catalog) =>
    JSON.stringify(problems(catalog)) === JSON.stringify(refused.map((name) => `ARTIFACT_REFUSED ${name}`))
  await until('refused', () => isSo(first) && version(first) > 1)
  assert.deepEqual(names(first), ['base.tar.gz', 'cut-gzip.tar.gz', 'fine.tar'])
  const kept = (catalog: Catalog) => {
    const artifact = catalog.live.current?.artifacts.find(({ name }) => name === 'cut-gzip.tar.gz')
    return readFileSync(catalog.storeDir.path(artifact?.sha256 ?? ''))
  }
  assert.deepEqual(kept(first), good)
  const said = site.lines.filter(({ code }) => code === 'ARTIFACT_REFUSED')
  assert.equal(said.length, refused.length)
  for (const [file, reason] of [
    [
      'cut-gzip.tar.gz',
      /ARCHIVE_MALFORMED: .*\): copy it again.* \(what was published before, if anything, stays\)/,
    ],
    ['sparse.tar', /ARCHIVE_UNSUPPORTED: .*sparse.*\): pack it again .*without --sparse/],
    ['dots.tar', /ARCHIVE_ESCAPES: .*`\.\.`/],
    ['device.tar', /ARCHIVE_FORBIDDEN_ENTRY: /],
  ] as const) {
    const line = said.find((one) => one.file === `plugins/${file}`)
    assert.match(line?.msg ?? '', new RegExp(`^plugins/${file}: every node would refuse it`))
    assert.match(line?.msg ?? '', reason)
  }

  const before = version(first)
  await first.stop()
  const second = await site.start({ checker: checker() })
  await until('refused again', () => isSo(second))
  assert.equal(version(second), before)
  assert.deepEqual(kept(second), good)
  site.put('plugins/cut-gzip.tar.gz', await tarball('p', 'mended'))
  await until('mended', () => !problems(second).includes('ARTIFACT_REFUSED cut-gzip.tar.gz'))
})

test('a root without an init is none, unless the kernel command line names the one it has', async (t) => {
  const site = bench(t)
  site.put('rootfs/base-1.tar.gz', await tarball('a', 'a'))
  site.put('rootfs/base-2.tar', packed(t, 'mkdir opt; echo "#!/bin/sh" > opt/start; chmod 755 opt/start'))
  const first = await site.start({ checker: checker() })
  await until('the other', () => version(first) === 1)
  assert.deepEqual(names(first), ['base-1.tar.gz'])
  assert.deepEqual(problems(first), ['ARTIFACT_REFUSED base-2.tar'])
  assert.match(first.problems[0]?.message ?? '', /ROOT_NO_INIT: .*init= in kernel_args/)
  await first.stop()
  const second = await site.start({ checker: checker(installedAgent(), ['/other', '/opt/start']) })
  await until('the newer one', () => names(second)?.join() === 'base-2.tar')
})

test('what is inside xz and zstd is told by opening it, whatever the name says', async (t) => {
  const site = bench(t)
  const tar = gunzipSync(await tarball('a', 'a'))
  site.put('rootfs/base.xz', execFileSync('xz', ['-c'], { input: tar }))
  site.put('plugins/p.cpio.zst', execFileSync('zstd', ['-q', '-c'], { input: tar }))
  const first = await site.start({ checker: checker() })
  const formats = (catalog: Catalog) => catalog.live.current?.artifacts.map(({ format }) => format)
  await until('published', () => version(first) === 1)
  assert.deepEqual(formats(first), ['tar', 'tar'])
  await first.stop()
  // It is remembered: nothing is read again.
  site.lines.length = 0
  const second = await site.start({ checker: checker() })
  await until('looked', () => second.live.current !== undefined)
  assert.deepEqual([formats(second), version(second)], [['tar', 'tar'], 1])
})

test('what an earlier server published without a check goes when every node refuses it', async (t) => {
  const site = bench(t)
  site.put('rootfs/base.tar.gz', await tarball('a', 'a'))
  site.put('plugins/p.tar', packed(t, 'truncate -s 1M big', 'tar -S -cf - big'))
  const first = await site.start()
  await until('published', () => names(first)?.length === 2)
  await first.stop()
  const second = await site.start({ checker: checker() })
  await until('gone', () => names(second)?.join() === 'base.tar.gz')
  assert.deepEqual(problems(second), ['ARTIFACT_REFUSED p.tar'])
})

/** A program in the agent's place. */
function program(t: TestContext, script: string): string {
  const path = join(scratch(t), 'agent')
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
  return path
}

test('without an agent that can be asked the server publishes, and says so', async (t) => {
  const oldRelease = program(t, 'echo usage >&2; exit 2')
  const cannotRun = program(t, '')
  writeFileSync(cannotRun, 'no program', { mode: 0o644 })
  chmodSync(cannotRun, 0o644)
  for (const agent of [oldRelease, cannotRun, '/nonexistent/agent']) {
    const site = bench(t)
    site.put('rootfs/base.tar.gz', await tarball('a', 'a'))
    const catalog = await site.start({ checker: checker(agent) })
    await until('published', () => version(catalog) === 1)
    await until('said', () => problems(catalog).join() === 'AGENT_MISSING ')
    await catalog.stop()
    // Built afterwards: what was published unchecked is checked.
    rmSync(agent, { force: true })
    assert.equal(checker(agent).id, undefined)
  }
})

test('these tests end at once, with the cause, where the built agent is older than its command `check`', async (t) => {
  await assert.rejects(demandChecks(program(t, 'exit 2')), /of an older release.*`npm run build`/)
})

test('a check that hangs is killed when the server stops; one that dies is tried again', async (t) => {
  const dir = scratch(t)
  const pidFile = join(dir, 'pid')
  const hanging = checker(program(t, `echo $$ > ${pidFile}; exec sleep 1000`))
  const asked = hanging.check(dir, 'plugin', 'x', 1)
  await until('it runs', () => pidOf(pidFile) > 0)
  hanging.stop()
  assert.equal((await asked).kind, 'unfinished')
  assert.throws(() => process.kill(pidOf(pidFile), 0), /ESRCH/)
  assert.equal((await hanging.check(dir, 'plugin', 'x', 1)).kind, 'unfinished')

  const dying = await checker(program(t, 'kill -SEGV $$')).check(dir, 'plugin', 'x', 1)
  assert.deepEqual(dying, { kind: 'unfinished', message: 'it ended with SIGSEGV' })
})

function pidOf(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return 0
  }
}

test('the process gets little memory', async (t) => {
  const file = join(scratch(t), 'limit')
  await checker(program(t, `ulimit -v > ${file}`)).check(dirname(file), 'plugin', 'x', 1)
  assert.equal(Number(readFileSync(file, 'utf8')), 1024 * 1024)
})

test('an answer that makes no sense says nothing about the archive', () => {
  const kinds = [
    readAnswer(0, ''),
    readAnswer(0, '{"ok":true}'),
    readAnswer(0, '{"ok":false,"code":"X"}'),
    readAnswer(1, 'null'),
    readAnswer(1, '{"ok":false}'),
    readAnswer(3, '{"ok":false,"code":"IO","message":"x: disk"}'),
    readAnswer(101, ''),
  ].map(({ kind }) => kind)
  assert.deepEqual(new Set(kinds), new Set(['unfinished']))
  assert.deepEqual(readAnswer(0, '{"ok":true,"format":"tar"}'), { kind: 'unpacks', format: 'tar' })
})
