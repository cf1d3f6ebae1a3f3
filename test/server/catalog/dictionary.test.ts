import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { dictionaryOf, dictionaryRefusal, dictionaryWarning } from '../../../server/catalog/dictionary.js'
import { UNPACK_XZ_MEMORY_BYTES_MAX, UNPACK_ZSTD_WINDOW_BYTES_MAX } from '../../../src/limits.js'
import { fuzzed } from '../../fuzz.js'
import { checkout } from '../../support/scratch.js'
import { Bench, until } from './support.js'

const mebibyte = 1024 * 1024
const some = Buffer.alloc(300_000, 'some text that compresses well, ')

/** From a pipe, so that the tool does not know the size and keeps its level's dictionary. */
function packed(command: readonly string[], input: Uint8Array = some): Buffer {
  const [program = '', ...args] = command
  return execFileSync(program, args, { input, maxBuffer: 1 << 26 })
}

/** Crafted: a frame without content size whose window is 2^(10 + exponent) * (1 + eighths / 8). */
const zstdWindow = (exponent: number, eighths = 0) =>
  Buffer.concat([Buffer.from('28b52ffd00', 'hex'), Buffer.from([exponent * 8 + eighths]), Buffer.alloc(8)])

/** Crafted: a block whose LZMA2 properties are these. */
const xzBits = (bits: number) =>
  Buffer.concat([
    Buffer.from('fd377a585a000004e6d6b446', 'hex'),
    Buffer.from([2, 0, 0x21, 1, bits, 0, 0, 0, 0, 0, 0, 0]),
  ])

const real: readonly [string, readonly string[], number][] = [
  ['xz -0', ['xz', '-0', '-c'], 0.25],
  ['xz -6', ['xz', '-6', '-c'], 8],
  ['xz -9', ['xz', '-9', '-c'], 64],
  ['xz with a filter in front', ['xz', '--x86', '--lzma2=preset=6,dict=48MiB', '-c'], 48],
  ['xz with sizes in the block header', ['xz', '-T2', '-9', '-c'], 64],
  ['zstd -19', ['zstd', '-19', '-c'], 8],
  ['zstd --long', ['zstd', '--long=27', '-c'], 128],
  ['zstd --ultra -22', ['zstd', '--ultra', '-22', '-c'], 128],
]

for (const [name, command, expected] of real) {
  test(`reads the dictionary of what ${name} makes`, () => {
    assert.equal((dictionaryOf(packed(command))?.bytes ?? 0) / mebibyte, expected)
  })
}

test('a zstd frame that says its size needs no more than that', () => {
  // One segment: its content is the window.
  const small = packed(['zstd', '-19', `--stream-size=${some.length}`, '-c'])
  assert.deepEqual(dictionaryOf(small), { by: 'zstd', bytes: some.length, declaredBytes: some.length })
})

test('skippable frames in front of zstd are passed over, but not for ever', () => {
  const skippable = Buffer.from('502a4d1803000000aabbcc', 'hex')
  const frame = zstdWindow(17)
  assert.equal(dictionaryOf(Buffer.concat([skippable, skippable, frame]))?.bytes, 2 ** 27)
  assert.equal(dictionaryOf(Buffer.concat([...Array(17).fill(skippable), frame])), undefined)
})

test('refused is exactly what the agent refuses, warned of what is above 8 MiB', () => {
  const verdict = (head: Uint8Array) => {
    const dictionary = dictionaryOf(head)
    if (dictionaryRefusal(dictionary) !== undefined) return 'refused'
    return dictionaryWarning(dictionary) === undefined ? 'fine' : 'warned'
  }
  assert.deepEqual(
    [22, 23, 28, 29, 40].map((bits) => verdict(xzBits(bits))),
    ['fine', 'warned', 'warned', 'refused', 'refused'],
  )
  assert.equal(verdict(zstdWindow(13)), 'fine')
  assert.equal(verdict(zstdWindow(13, 1)), 'warned')
  assert.equal(verdict(zstdWindow(17)), 'warned')
  assert.equal(verdict(zstdWindow(17, 1)), 'refused')
  assert.equal(verdict(zstdWindow(31, 7)), 'refused')
  assert.match(
    dictionaryWarning(dictionaryOf(xzBits(28))) ?? '',
    /^published, but each node needs 68 MiB of memory beside the payload .*`xz -6` to need 12 MiB$/,
  )
  assert.match(
    dictionaryRefusal(dictionaryOf(zstdWindow(18))) ?? '',
    /256 MiB, agents refuse more than 128 MiB: pack it again with `zstd -19`/,
  )
})

test('the limits are those of the agent', () => {
  const rust = readFileSync(join(checkout, 'initramfs-agent/src/io/unpack/limits.rs'), 'utf8')
  const [, xzMebibytes] = /xz_memory_bytes_max: (\d+) << 20/.exec(rust) ?? []
  const [, windowLog] = /zstd_window_log_max: (\d+),/.exec(rust) ?? []
  assert.equal(Number(xzMebibytes) * mebibyte, UNPACK_XZ_MEMORY_BYTES_MAX)
  assert.equal(2 ** Number(windowLog), UNPACK_ZSTD_WINDOW_BYTES_MAX)
})

test('hostile and cut bytes give a bounded answer or none, and never throw', () => {
  const seeds = [
    packed(['xz', '-9', '-c']),
    packed(['xz', '-T2', '-c']),
    packed(['zstd', '-19', '-c']),
    zstdWindow(17),
  ]
  let answers = 0
  let none = 0
  for (const [index, whole] of seeds.entries()) {
    const head = whole.subarray(0, 64)
    for (let length = 0; length < head.length; length += 1) dictionaryOf(head.subarray(0, length))
    for (const variant of fuzzed(head, 4711 + index, 5000)) {
      const found = dictionaryOf(variant)
      if (found === undefined) none += 1
      else {
        answers += 1
        assert.ok(found.bytes >= 0 && found.bytes <= found.declaredBytes && found.declaredBytes <= 2 ** 64)
      }
      dictionaryRefusal(found)
      dictionaryWarning(found)
    }
  }
  assert.ok(answers > 1000 && none > 1000, `${answers} ${none}`)
  for (const bytes of [Buffer.alloc(0), Buffer.from('1f8b08', 'hex'), Buffer.alloc(600)]) {
    assert.equal(dictionaryOf(bytes), undefined)
  }
})

test('the catalog publishes and warns, refuses what no agent unpacks, and knows both after a restart', async (t) => {
  const site = new Bench()
  t.after(() => site.end())
  const tar = execFileSync('tar', ['-C', checkout, '-cf', '-', 'package.json'])
  const catalog = await site.start()
  const state = () => ({
    published: catalog.live.current?.artifacts.map(({ name }) => name),
    problems: catalog.problems.map(({ code, name }) => `${code} ${name}`).sort(),
  })
  site.put('rootfs/base.tar.xz', packed(['xz', '-9', '-c'], tar))
  site.put('plugins/a.tar.zst', packed(['zstd', '--long=28', '-c'], tar))
  site.put('plugins/b.tar.zst', packed(['zstd', '-19', '-c'], tar))
  // Handed over as it is: nothing is unpacked.
  site.put('boot/initrd.xz', packed(['xz', '-9', '-c'], tar))
  const expected = {
    published: ['base.tar.xz', 'b.tar.zst', 'initrd.xz'],
    problems: ['ARTIFACT_DICTIONARY_LARGE base.tar.xz', 'ARTIFACT_DICTIONARY_LIMIT a.tar.zst'],
  }
  const holds = (now: ReturnType<typeof state>) => JSON.stringify(now) === JSON.stringify(expected)
  await until('published with a warning', () => holds(state()))
  const line = site.lines.find(({ code }) => code === 'ARTIFACT_DICTIONARY_LARGE')
  assert.equal(line?.level, 'warn')
  assert.match(line?.msg ?? '', /^rootfs\/base\.tar\.xz: .*68 MiB.*`xz -6`/)
  await catalog.stop()

  const again = await site.start()
  await until('the same after a restart', () =>
    holds({
      published: again.live.current?.artifacts.map(({ name }) => name),
      problems: again.problems.map(({ code, name }) => `${code} ${name}`).sort(),
    }),
  )
  site.put('rootfs/base.tar.xz', packed(['xz', '-6', '-c'], tar))
  await until('mended', () => again.problems.every(({ code }) => code === 'ARTIFACT_DICTIONARY_LIMIT'))
})
