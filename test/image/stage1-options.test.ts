import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseStage1Options, stage1Help } from '../../image/stage1-options.js'
import { BootswarmError } from '../../src/errors.js'

test('without flags it is the generic kernel, xz, and the site’s own places', () => {
  assert.deepEqual(parseStage1Options([]), {
    source: { kind: 'package' },
    suite: 'bookworm',
    mirror: 'http://deb.debian.org/debian',
    compression: 'xz',
    modules: [],
    wholeModules: false,
    json: false,
    dryRun: false,
    help: false,
  })
})

test('every flag says what it says', () => {
  const words =
    '--kernel linux-image-cloud-amd64 --suite=trixie --nic r8169,igb --module usbhid --compress zstd --json'
  const more =
    '--out /o --trust /t --busybox debian --agent /a --config /c --cache /d --whole-modules --dry-run'
  const options = parseStage1Options(`${words} ${more}`.split(' '))
  assert.deepEqual(options, {
    source: { kind: 'package', name: 'linux-image-cloud-amd64' },
    suite: 'trixie',
    mirror: 'http://deb.debian.org/debian',
    compression: 'zstd',
    nics: ['r8169', 'igb'],
    modules: ['usbhid'],
    outDir: '/o',
    trustDir: '/t',
    busybox: 'debian',
    agent: '/a',
    cacheDir: '/d',
    configFile: '/c',
    wholeModules: true,
    json: true,
    dryRun: true,
    help: false,
  })
  const own = parseStage1Options(['--vmlinuz', '/v', '--modules=/m']).source
  assert.deepEqual(own, { kind: 'files', vmlinuz: '/v', modules: '/m' })
  assert.equal(parseStage1Options(['-h']).help, true)
})

test('what does not go together is refused', () => {
  for (const [words, message] of [
    ['--vmlinuz /v', /--vmlinuz and --modules go together/],
    ['--modules /m', /go together/],
    ['--kernel x --vmlinuz /v --modules /m', /one way/],
    ['--compress gzip', /xz or zstd/],
    ['--compress none', /xz or zstd/],
    ['--nic ../x', /no module's name/],
    ['--suit x', /did you mean --suite/],
    ['--json=yes', /takes no value/],
    ['--out', /needs a value/],
    ['word', /is no flag/],
  ] as const) {
    assert.throws(
      () => parseStage1Options(words.split(' ')),
      (error) =>
        error instanceof BootswarmError && error.code === 'USAGE_INVALID' && message.test(error.message),
      words,
    )
  }
})

test('the help names every flag', () => {
  for (const flag of ['kernel', 'vmlinuz', 'modules', 'nic', 'compress', 'trust', 'out', 'json', 'dry-run']) {
    assert.match(stage1Help(), new RegExp(`^ {2}--${flag}\\b`, 'm'))
  }
})
