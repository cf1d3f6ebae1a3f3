import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { cpioArchive, type Member, parentsOf } from '../../archive/cpio-writer.js'

const file = (path: string, text: string): Member => ({
  kind: 'file',
  path,
  mode: 0o640,
  data: Buffer.from(text),
})
const dir = (path: string): Member => ({ kind: 'directory', path, mode: 0o755 })

test('cpio unpacks what was packed', (t) => {
  const target = mkdtempSync(join(tmpdir(), 'bootswarm-cpio-'))
  t.after(() => rmSync(target, { recursive: true, force: true }))
  const members: Member[] = [
    dir('a'),
    file('a/odd', 'x'),
    file('a/empty', ''),
    { kind: 'link', path: 'l', target: '/a/odd' },
  ]
  const archive = cpioArchive(members, 1_000_000_000)
  execFileSync('cpio', ['--extract', '--quiet', '--preserve-modification-time'], {
    cwd: target,
    input: archive,
  })
  assert.equal(readFileSync(join(target, 'a/odd'), 'utf8'), 'x')
  assert.equal(readFileSync(join(target, 'a/empty'), 'utf8'), '')
  assert.equal(readlinkSync(join(target, 'l')), '/a/odd')
  assert.equal(statSync(join(target, 'a/odd')).mode & 0o7777, 0o640)
  assert.equal(statSync(join(target, 'a/odd')).mtimeMs, 1e12)
})

test('headers hold no trace of who packed, or when', () => {
  const device: Member = { kind: 'device', path: 'console', mode: 0o600, major: 5, minor: 1 }
  const archive = cpioArchive([file('f', 'abc'), device], 0).toString('latin1')
  const zeros = (count: number) => '0'.repeat(count)
  assert.equal(
    archive,
    [
      // Magic, inode, mode, owner and group, links, time, size, devices, length of the name, check.
      `070701${'00000001'}${'000081A0'}${zeros(16)}${'00000001'}${zeros(8)}${'00000003'}${zeros(32)}${'00000002'}${zeros(8)}f\0abc\0`,
      `070701${'00000002'}${'00002180'}${zeros(16)}${'00000001'}${zeros(32)}${'00000005'}${'00000001'}${'00000008'}${zeros(8)}console\0\0\0`,
      `070701${zeros(32)}${'00000001'}${zeros(48)}${'0000000B'}${zeros(8)}TRAILER!!!\0\0\0\0`,
    ].join(''),
  )
})

test('a member needs its directory before it, and a name of its own inside', () => {
  for (const members of [
    [file('a/b', '')],
    [file('f', ''), file('f', '')],
    [file('/etc', '')],
    [dir('a'), file('a/../b', '')],
    [file('', '')],
  ]) {
    assert.throws(() => cpioArchive(members, 0))
  }
})

test('missing directories are found, each once, outer ones first', () => {
  assert.deepEqual(
    parentsOf([file('a/b/c', ''), file('a/d', ''), dir('e'), file('e/f', ''), file('g', '')]).map(
      ({ path }) => path,
    ),
    ['a', 'a/b'],
  )
})
