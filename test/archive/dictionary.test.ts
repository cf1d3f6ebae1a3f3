import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { dictionaryOf, dictionaryRefusal } from '../../archive/dictionary.js'
import { UNPACK_DICTIONARY_BYTES_MAX } from '../../src/limits.js'
import { fuzzed } from '../fuzz.js'
import { Bench, until } from '../server/catalog/support.js'
import { checkout } from '../support/scratch.js'

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
  assert.deepEqual(dictionaryOf(small), { by: 'zstd', bytes: some.length })
})

test('skippable frames in front of zstd are passed over, but not for ever', () => {
  const skippable = Buffer.from('502a4d1803000000aabbcc', 'hex')
  const frame = zstdWindow(17)
  assert.equal(dictionaryOf(Buffer.concat([skippable, skippable, frame]))?.bytes, 2 ** 27)
  assert.equal(dictionaryOf(Buffer.concat([...Array(17).fill(skippable), frame])), undefined)
})

test('refused is exactly what the agent refuses', () => {
  const isRefused = (head: Uint8Array) => dictionaryRefusal(dictionaryOf(head)) !== undefined
  assert.deepEqual(
    [0, 22, 23, 28, 40].map((bits) => isRefused(xzBits(bits))),
    [false, false, true, true, true],
  )
  assert.equal(isRefused(zstdWindow(13)), false)
  assert.equal(isRefused(zstdWindow(13, 1)), true)
  assert.equal(isRefused(zstdWindow(31, 7)), true)
  assert.match(
    dictionaryRefusal(dictionaryOf(zstdWindow(17))) ?? '',
    /128 MiB of memory .* no more than 8 MiB: pack it again with `zstd -19`/,
  )
})

test('the limits are those of the agent', () => {
  const rust = readFileSync(join(checkout, 'initramfs-agent/src/io/unpack/limits.rs'), 'utf8')
  const [, xzMebibytes] = /xz_memory_bytes_max: (\d+) << 20/.exec(rust) ?? []
  const [, windowLog] = /zstd_window_log_max: (\d+),/.exec(rust) ?? []
  // The xz decoder takes less than a mebibyte for itself.
  assert.equal((Number(xzMebibytes) - 1) * mebibyte, UNPACK_DICTIONARY_BYTES_MAX)
  assert.equal(2 ** Number(windowLog), UNPACK_DICTIONARY_BYTES_MAX)
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
        assert.ok(found.bytes >= 0 && found.bytes <= 2 ** 64)
      }
      dictionaryRefusal(found)
    }
  }
  assert.ok(answers > 1000 && none > 1000, `${answers} ${none}`)
  for (const bytes of [Buffer.alloc(0), Buffer.from('1f8b08', 'hex'), Buffer.alloc(600)]) {
    assert.equal(dictionaryOf(bytes), undefined)
  }
})

test('the catalog leaves out what no agent unpacks, says how to pack it, and does so after a restart', async (t) => {
  const site = new Bench()
  t.after(() => site.end())
  const tar = execFileSync('tar', ['-C', checkout, '-cf', '-', 'package.json'])
  const catalog = await site.start()
  const state = (of = catalog) => ({
    published: of.live.current?.artifacts.map(({ name }) => name),
    problems: of.problems.map(({ code, name }) => `${code} ${name}`).sort(),
  })
  site.put('rootfs/base.tar.xz', packed(['xz', '-9', '-c'], tar))
  site.put('plugins/a.tar.zst', packed(['zstd', '--long=24', '-c'], tar))
  site.put('plugins/b.tar.zst', packed(['zstd', '-19', '-c'], tar))
  // Handed over as it is: nothing is unpacked.
  site.put('boot/initrd.xz', packed(['xz', '-9', '-c'], tar))
  const expected = {
    published: ['b.tar.zst', 'initrd.xz'],
    problems: [
      'ARTIFACT_DICTIONARY_LIMIT a.tar.zst',
      'ARTIFACT_DICTIONARY_LIMIT base.tar.xz',
      'CATALOG_EMPTY ',
    ],
  }
  const holds = (now: ReturnType<typeof state>) => JSON.stringify(now) === JSON.stringify(expected)
  await until('left out', () => holds(state()))
  const line = site.lines.find(({ msg }) => msg?.includes('base.tar.xz'))
  assert.equal(line?.level, 'warn')
  assert.match(line?.msg ?? '', /^rootfs\/base\.tar\.xz: .*64 MiB.*`xz -6`/)
  await catalog.stop()

  const again = await site.start()
  await until('the same after a restart', () => holds(state(again)))
  site.put('rootfs/base.tar.xz', packed(['xz', '-6', '-c'], tar))
  await until('mended', () => state(again).published?.includes('base.tar.xz') === true)
})
