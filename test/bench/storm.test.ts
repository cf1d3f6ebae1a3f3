/** A tiny storm with everything real: namespaces, shaped links, the server, 20 agents in 4 racks, a liar and a death. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { hangMs } from '../support/limits.js'

const main = fileURLToPath(new URL('../../scripts/bench-storm.js', import.meta.url))
const schemaFile = fileURLToPath(new URL('../../../docs/storm.schema.json', import.meta.url))
const root = process.getuid?.() === 0
const skip = root ? false : 'A STORM NEEDS ROOT: it makes network namespaces'

function run(
  args: readonly string[],
  signalAt?: RegExp,
  env = process.env,
): Promise<{ code: number | null; output: string; pid: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env })
    let output = ''
    let signalled = false
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString()
        if (!signalAt || signalled || !signalAt.test(output)) return
        signalled = true
        child.kill('SIGINT')
      })
    }
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output, pid: child.pid ?? 0 }))
  })
}

/** Namespaces and scratch files that a bench with this process id has left. */
function leftovers(pid: number): string[] {
  const names = existsSync('/run/netns') ? readdirSync('/run/netns') : []
  return [...names, ...readdirSync('/dev/shm')].filter((name) => name.startsWith(`bwstorm-${pid}-`))
}

test('a storm of 20 nodes in 4 racks', { skip, timeout: hangMs }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'bootswarm-storm-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const [json, html] = [join(directory, 'storm.json'), join(directory, 'storm.html')]
  const shape = ['--nodes', '20', '--rack-size', '5', '--link-mbit', '8', '--payload-mb', '1.5']
  const faults = [
    '--kill',
    '5%',
    '--corrupt',
    '1',
    '--seed',
    '3',
    '--baselines',
    'none',
    '--timeout-s',
    '300',
  ]
  const { output, pid } = await run([...shape, ...faults, '--json', json, '--html', html])
  assert.ok(existsSync(json), output)
  const result = JSON.parse(readFileSync(json, 'utf8')) as Record<string, unknown>
  assert.deepEqual(
    [result.nodes, result.racks, result.failed, result.killed, result.seed],
    [20, 4, 0, 1, 3],
    output,
  )
  const { required, properties } = JSON.parse(readFileSync(schemaFile, 'utf8')) as {
    required: string[]
    properties: Record<string, { type: string | string[] }>
  }
  for (const key of required) assert.ok(key in result, `${key} is missing`)
  for (const [key, value] of Object.entries(result)) {
    const types = [properties[key]?.type ?? []].flat()
    assert.ok(types.includes(jsonType(value)), `${key}: ${jsonType(value)} is not in the schema: ${types}`)
  }
  const [after, downloaded] = [result.after_manifest, result.downloaded] as Record<string, number>[]
  // 1.5 MB cannot follow a manifest at once, nor take longer than from the storm's start.
  assert.ok(Number(after?.first_s) > 0.5 && Number(after?.last_s) < Number(downloaded?.last_s), output)
  // Who has booted has every byte, and the server did not send them all.
  assert.ok(Number(result.first_s) >= Number(result.floor_s), 'nobody beats the floor')
  assert.ok(Number(result.origin_copies) < 10, `${result.origin_copies} copies from the server`)
  const page = readFileSync(html, 'utf8')
  assert.ok(page.includes(`the longest ${after?.last_s} s`), 'the time after the manifest is in the report')
  assert.ok(page.includes('Nodes with full links: p99 '), 'the healthy are told apart')
  assert.ok(page.includes('<svg') && !/https?:\/\/|src=/.test(page), 'the report needs nothing else')
  assert.deepEqual(leftovers(pid), [])
})

test('a squashfs is handed over as it is; a baseline whose clients fail is a result', {
  skip,
  timeout: hangMs,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'bootswarm-storm-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const json = join(directory, 'storm.json')
  const shape = ['--nodes', '4', '--rack-size', '2', '--payload-mb', '0.5', '--format', 'squashfs']
  // An aria2 that gives up.
  const bin = join(directory, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'aria2c'), '#!/bin/sh\necho "no peers for me" >&2\nexit 7\n', { mode: 0o755 })
  const PATH = `${bin}:${process.env.PATH}`
  const flags = ['--baselines', 'aria2', '--no-simulation', '--json', json]
  const { output } = await run([...shape, ...flags], undefined, { ...process.env, PATH })
  assert.ok(existsSync(json), output)
  const result = JSON.parse(readFileSync(json, 'utf8')) as Record<string, unknown>
  assert.deepEqual([result.payload_format, result.failed], ['squashfs', 0], output)
  const [aria2] = result.baselines as Record<string, unknown>[]
  assert.deepEqual(
    [aria2?.name, aria2?.nodes, aria2?.failed, aria2?.note],
    ['aria2', 4, 4, 'no peers for me'],
  )
})

test('an interrupted storm leaves nothing behind', { skip, timeout: hangMs }, async () => {
  const args = ['--nodes', '4', '--rack-size', '2', '--payload-mb', '1', '--baselines', 'none']
  const backlog = () => readFileSync('/proc/sys/net/core/netdev_max_backlog', 'utf8')
  const before = backlog()
  const { code, output, pid } = await run(args, /payload .* floor/)
  assert.equal(code, 130, output)
  assert.deepEqual(leftovers(pid), [])
  assert.equal(backlog(), before, 'what it sets on the host is as it was')
})

test('wrong options are refused before anything is built', async () => {
  for (const args of [
    ['--nodes', '0'],
    ['--kill', '5x'],
    ['--baselines', 'nfs'],
    ['--format', 'zip'],
    ['--corrupt-kind', 'loud'],
    ['--arrivals', '/no/file'],
    ['x'],
  ]) {
    const { code, output } = await run(args)
    assert.equal(code, 1, args.join(' '))
    assert.match(output, /USAGE_INVALID/)
  }
})

function jsonType(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}
