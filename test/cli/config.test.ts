/** `bootswarm config ...` as a process, on files alone. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { checkout, scratch } from '../support/scratch.js'

const text = `settings: {POOL: a, MODE: slow}
profiles:
  base: {kernel_args: quiet, settings: {MODE: base}}
  gpu:
    extends: base
    rootfs: gpu-*
    settings: {MODE: fast}
groups:
  - {name: gpus, match: {nodes: "rig[1-3]"}, profile: gpu, hostname: "g{index:2}"}
  - {name: labs, match: {subnets: 10.1.0.0/16}, profile: base}
nodes:
  - {match: 52:54:00:00:00:01, hostname: bench, plugins: ["*", "!x"]}
`

/** A directory with `bootswarm.yaml`, and commands that run in it. */
function site(t: TestContext, config = text) {
  const directory = scratch(t)
  const path = (name: string) => join(directory, name)
  writeFileSync(path('bootswarm.yaml'), config)
  const run = (...args: string[]) =>
    new Promise<{ code: number | null; out: string; err: string }>((resolve, reject) => {
      const child = spawn(process.execPath, [join(checkout, 'dist/cli/bootswarm.js'), 'config', ...args], {
        cwd: directory,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let [out, err] = ['', '']
      child.stdout.on('data', (part: Buffer) => {
        out += part.toString()
      })
      child.stderr.on('data', (part: Buffer) => {
        err += part.toString()
      })
      child.on('error', reject)
      child.on('close', (code) => resolve({ code, out, err }))
    })
  const put = (name: string, content: string) => writeFileSync(path(name), content)
  return { directory, path, put, run, read: (name = 'bootswarm.yaml') => readFileSync(path(name), 'utf8') }
}

test('check: the file that is there or named; a mistake with line and column, exit code 2', async (t) => {
  const { put, run } = site(t)
  const good = await run('check')
  assert.deepEqual(good, {
    code: 0,
    out: 'bootswarm.yaml: valid (2 profiles, 2 groups, 4 named nodes)\n',
    err: '',
  })
  put('bad.yaml', 'profiles:\n  a: {extends: b}\n  b: {extends: a}\n')
  const bad = await run('check', 'bad.yaml')
  assert.deepEqual(bad, {
    code: 2,
    out: '',
    err: 'bootswarm: CONFIG_INVALID: bad.yaml:3:16: profiles.b.extends: a profile cannot extend itself: a -> b -> a\n',
  })
  const missing = await run('check', 'missing.yaml')
  assert.equal(missing.code, 2)
  assert.match(missing.err, /^bootswarm: CONFIG_UNREADABLE: .*missing\.yaml/)
  for (const args of [[], ['chek'], ['check', 'a', 'b'], ['check', '--jsn'], ['show'], ['diff']]) {
    const { code, err } = await run(...args)
    assert.deepEqual([code, err.split(':')[1]], [2, ' USAGE_INVALID'], args.join(' '))
  }
})

test('show: what a node gets, who gives it, and where that stands', async (t) => {
  const { run } = site(t)
  const { code, out } = await run('show', 'rig2')
  assert.equal(code, 0)
  const lines = out.split('\n').map((line) => line.split(/ {2,}/))
  for (const expected of [
    ['rig2'],
    ['groups: gpus'],
    ['profiles: base, gpu'],
    ['hostname', 'g02', 'group gpus', 'bootswarm.yaml:9:70'],
    ['rootfs', 'gpu-*', 'profile gpu (group gpus)', 'bootswarm.yaml:6:13'],
    ['kernel_args', 'quiet', 'profile base (group gpus)', 'bootswarm.yaml:3:23'],
    ['settings.MODE', 'fast', 'profile gpu (group gpus)', 'bootswarm.yaml:7:22'],
    ['', 'over base', 'profile base (group gpus)', 'bootswarm.yaml:3:47'],
    ['', 'over slow', 'every node', 'bootswarm.yaml:1:27'],
    ['root', 'tmpfs', 'every node', 'default'],
    ['plugins', 'all'],
  ])
    assert.ok(
      lines.some((line) => JSON.stringify(line) === JSON.stringify(expected)),
      `${expected} in\n${out}`,
    )
  assert.match(out, /It may be in labs too/)
})

test('show: a node by its MAC address or any of its host names, and with what a server would know', async (t) => {
  const { run } = site(t)
  const json = async (...args: string[]) => {
    const { code, out, err } = await run('show', ...args, '--json')
    assert.equal(code, 0, err)
    return JSON.parse(out)
  }
  assert.equal((await json('52-54-00-00-00-01')).id, '52:54:00:00:00:01')
  const bench = await json('Bench')
  assert.equal(bench.id, '52:54:00:00:00:01')
  assert.deepEqual(
    bench.plugins.map(({ value, place }: { value: string; place: string }) => [value, place]),
    [
      ['*', 'bootswarm.yaml:12:59'],
      ['!x', 'bootswarm.yaml:12:64'],
    ],
  )
  assert.equal((await json('g03')).id, 'rig3')
  const other = await json('other', '--address', '10.1.2.3')
  assert.deepEqual([other.named, other.groups, other.open_groups], [false, ['labs'], []])
  assert.deepEqual(other.settings.MODE, {
    value: 'base',
    by: 'profile base (group labs)',
    place: 'bootswarm.yaml:3:47',
    over: [{ value: 'slow', by: 'every node', place: 'bootswarm.yaml:1:27' }],
  })
  for (const args of [['a b'], ['x', '--address', '10.1'], ['x', '--arch', 'sparc']]) {
    assert.notEqual((await run('show', ...args)).code, 0, args.join(' '))
  }
})

test('show and diff: what a rack hangs behind', async (t) => {
  const racks = (last: string) =>
    `racks: [{name: a}, {name: b, behind: a}, {name: c, nodes: rig1, behind: ${last}}]`
  const { run, put } = site(t, racks('b'))
  assert.match((await run('show', 'rig1')).out, /^rack +c +racks +bootswarm.yaml:1:\d+\n +behind b, a$/m)
  const { rack } = JSON.parse((await run('show', 'rig1', '--json')).out)
  assert.deepEqual([rack.value, rack.behind], ['c', ['b', 'a']])
  put('new.yaml', racks('a'))
  assert.match((await run('diff', 'new.yaml')).out, /^the server, at once\n +racks.c.behind +b -> a$/m)
  put('bad.yaml', racks('c'))
  const { code, err } = await run('check', 'bad.yaml')
  assert.equal(code, 2)
  assert.match(err, /bad.yaml:1:\d+: racks.2.behind: a rack cannot hang behind itself: c -> c/)
})

test('diff: what changes for whom, in words and as JSON', async (t) => {
  const { put, run } = site(t)
  assert.deepEqual(await run('diff', 'bootswarm.yaml'), { code: 0, out: 'Nothing changes.\n', err: '' })
  put('new.yaml', `${text.replace('gpu-*', 'gpu-2*').replace('POOL: a', 'POOL: b')}http: {port: 81}\n`)
  const { out } = await run('diff', 'new.yaml')
  assert.equal(
    out,
    `rig[1-3] (3 nodes)
  rootfs               gpu-* -> gpu-2*
  settings.POOL        a -> b

52:54:00:00:00:01 (1 node), nodes of group labs, all other nodes
  settings.POOL        a -> b

the server, when it is started again
  http.port            8480 -> 81
`,
  )
  const json = JSON.parse((await run('diff', 'new.yaml', '--json')).out)
  assert.deepEqual(
    json.nodes.map(({ hostlist, others }: { hostlist: string; others: boolean }) => [hostlist, others]),
    [
      ['rig[1-3]', false],
      ['52:54:00:00:00:01', true],
    ],
  )
  put('bad.yaml', 'settings: 5')
  assert.equal((await run('diff', 'bad.yaml')).code, 2)
})

test('apply: a bad file changes nothing, and nobody is passed over who could be asked', async (t) => {
  const { directory, put, run, read } = site(t)
  put('bad.yaml', 'groups: [{name: g, match: {nodes: a}, profile: none}]\n')
  assert.equal((await run('apply', 'bad.yaml', '--yes')).code, 2)
  put('new.yaml', text.replace('gpu-*', 'gpu-2*'))
  const unasked = await run('apply', 'new.yaml')
  assert.equal(unasked.code, 2)
  assert.match(unasked.out, /gpu-\* -> gpu-2\*/)
  assert.match(unasked.err, /--yes/)
  assert.equal((await run('apply', 'new.yaml', '--dry-run')).code, 0)
  assert.equal(read(), text)
  assert.deepEqual(readdirSync(directory).sort(), ['bad.yaml', 'bootswarm.yaml', 'new.yaml'])
})

test('apply: the file is replaced as it was written, with its mode, behind its link', async (t) => {
  const { directory, path, put, run, read } = site(t)
  put('real.yaml', text)
  chmodSync(path('real.yaml'), 0o640)
  symlinkSync('real.yaml', path('link.yaml'))
  const next = `# mine\n${text.replace('gpu-*', 'gpu-2*')}`
  put('new.yaml', next)
  const inode = statSync(path('real.yaml')).ino
  const { code, out, err } = await run('apply', 'new.yaml', '--yes', '--config', 'link.yaml')
  assert.equal(code, 0, err)
  assert.match(out, /No server runs on .*data: it will read the file when it starts/)
  assert.equal(read('real.yaml'), next)
  assert.equal(statSync(path('real.yaml')).mode & 0o7777, 0o640)
  assert.notEqual(statSync(path('real.yaml')).ino, inode)
  assert.ok(lstatSync(path('link.yaml')).isSymbolicLink())
  assert.ok(readdirSync(directory).every((name) => !name.endsWith('.tmp')))
  // The same again.
  const again = await run('apply', 'new.yaml', '--yes', '--config', 'link.yaml')
  assert.deepEqual([again.code, again.out], [0, 'Nothing changes.\n'])
})

test('apply: a comment alone is written too, and a file that was wrong or not there can be replaced', async (t) => {
  const { put, run, read } = site(t)
  put('new.yaml', `${text}# more\n`)
  assert.equal((await run('apply', 'new.yaml', '--yes')).code, 0)
  assert.equal(read(), `${text}# more\n`)
  put('bootswarm.yaml', 'settings: 5\n')
  const healed = await run('apply', 'new.yaml', '--yes')
  assert.equal(healed.code, 0)
  assert.match(healed.err, /cannot be compared: CONFIG_INVALID: bootswarm\.yaml:1:11/)
  assert.equal(read(), `${text}# more\n`)
  const fresh = await run('apply', 'new.yaml', '--yes', '--config', 'fresh.yaml')
  assert.equal(fresh.code, 0)
  assert.equal(read('fresh.yaml'), `${text}# more\n`)
})

test('apply: a file that cannot be written is as it was, exit code 1', async (t) => {
  const { put, run } = site(t)
  put('new.yaml', text)
  const { code, err } = await run('apply', 'new.yaml', '--yes', '--config', 'missing/bootswarm.yaml')
  assert.equal(code, 1)
  assert.match(err, /^bootswarm: CONFIG_NOT_WRITTEN: .*missing\/bootswarm\.yaml cannot be written: ENOENT/m)
})

test('apply: asks at a terminal, and takes nothing but yes for it', async (t) => {
  const { directory, put, read } = site(t)
  const next = text.replace('gpu-*', 'gpu-2*')
  put('new.yaml', next)
  const answered = (answer: string) =>
    new Promise<number | null>((resolve, reject) => {
      const command = `${process.execPath} ${join(checkout, 'dist/cli/bootswarm.js')} config apply new.yaml`
      // From util-linux: it runs a command at a terminal of its own.
      const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: directory })
      let said = ''
      child.stdout.on('data', (part: Buffer) => {
        said += part.toString()
        if (!said.includes('[y/N]')) return
        said = ''
        child.stdin.write(`${answer}\n`)
      })
      child.on('error', reject)
      child.on('close', resolve)
    })
  assert.equal(await answered('n'), 1)
  assert.equal(await answered(''), 1)
  assert.equal(read(), text)
  assert.equal(await answered('y'), 0)
  assert.equal(read(), next)
})
