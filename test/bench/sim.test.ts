import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { choosePieceLength } from '../../src/metainfo.js'

const main = fileURLToPath(new URL('../../scripts/bench-sim.js', import.meta.url))
const run = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' })
const shape = ['--nodes', '20', '--racks', '2']

test('bench:sim takes 130 MB in the pieces that the server would make, and repeats itself', () => {
  const trace = (...args: string[]) => {
    const { stdout, stderr, status } = run(...shape, ...args)
    assert.equal(status, 0, stderr)
    return (JSON.parse(stdout) as { trace: string }).trace
  }
  const found = trace()
  assert.equal(found, trace('--piece-kib', String(choosePieceLength(130e6) / 1024)))
  assert.notEqual(found, trace('--piece-kib', '256'))
  assert.notEqual(found, trace('--seed', '2'))
})

test('bench:sim says what it takes, what is wrong, and how far the nodes are', () => {
  assert.match(run('--help').stdout, /--nodes N.*--beside/s)
  const wrong = run(...shape, '--planets', '9')
  assert.equal(wrong.status, 1)
  assert.match(wrong.stderr, /--planets: unknown.*USAGE_INVALID/s)
  const beside = run(...shape, '--beside', '/no/file')
  assert.equal(beside.status, 1)
  assert.match(beside.stderr, /USAGE_INVALID: --beside wants/)
  const watched = run(...shape, '--payload-mb', '2', '--timeline-ms', '20')
  assert.equal(watched.status, 0)
  assert.ok(watched.stderr.split('\n').length > 3, watched.stderr)
})

test('bench:sim says whether a storm and the simulator agree within 15 %', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'bootswarm-sim-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const { last_over_floor: simulated } = JSON.parse(run(...shape).stdout) as { last_over_floor: number }
  for (const [factor, verdict, code] of [
    [1.1, 'agree', 0],
    [1.2, 'DISAGREE', 1],
  ] as const) {
    const file = join(directory, 'storm.json')
    writeFileSync(file, JSON.stringify({ last_over_floor: simulated * factor, valid: true }))
    const { stdout, status } = run(...shape, '--beside', file)
    assert.match(stdout, new RegExp(`^${verdict}: simulated`, 'm'))
    assert.equal(status, code)
  }
})

test('bench:sim --layouts prints a row for each farm, and takes some farms and other seeds only', () => {
  const table = (...args: string[]) => {
    const { stdout, stderr, status } = run('--layouts', '--small', ...args)
    assert.equal(status, 0, stderr)
    const [header = '', ...rows] = stdout.trim().split('\n')
    assert.match(header, /^layout +topology +last\/floor +p99\/floor +uplink copies +failed +seconds$/)
    return rows.map((row) => row.split(/ +/))
  }
  const all = table('--seeds', '1')
  const names = all.map(([name]) => name)
  for (const name of ['2x240', '50x10', 'line', 'tree', 'mixed', 'flat', '4x60-faults', '21x240']) {
    assert.ok(names.includes(name), name)
  }
  for (const [name, topology, last, p99, copies, failed] of all) {
    assert.ok(Number(last) >= Number(p99) && Number(p99) > 1, `${name}: ${last}, ${p99}`)
    // One switch has no uplink; every rack needs a copy.
    if (topology === '20') assert.equal(copies, '-')
    else assert.ok(Number(copies) >= 0.99, `${name}: ${copies}`)
    assert.equal(failed, '0')
  }
  const without = (rows: string[][]) => rows.map((row) => row.slice(0, -1))
  const line = without(table('--seeds', '1', '--only', 'line'))
  assert.deepEqual(
    line,
    without(all).filter(([name]) => name === 'line'),
  )
  assert.notDeepEqual(without(table('--seeds', '2', '--only', 'line')), line)
})

test('bench:sim --layouts refuses what it does not know', () => {
  for (const args of [
    ['--only', 'ring'],
    ['--seeds', '1,x'],
    ['--nodes', '5'],
  ]) {
    const { status, stderr } = run('--layouts', ...args)
    assert.equal(status, 1, args.join(' '))
    assert.match(stderr, /USAGE_INVALID/)
  }
})
