import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { CpioReader } from '../../archive/cpio-reader.js'
import type { Member, MemberReader, OnMember } from '../../archive/members.js'
import { TarReader } from '../../archive/tar.js'
import { fuzzed, outcome } from '../fuzz.js'
import { scratch } from '../support/scratch.js'

const long = `${'long-name/'.repeat(15)}end`

function tree(t: TestContext): string {
  const dir = join(scratch(t), 'tree')
  mkdirSync(join(dir, long, '..'), { recursive: true })
  writeFileSync(join(dir, 'a'), 'content of a', { mode: 0o4755 })
  writeFileSync(join(dir, long), Buffer.alloc(3000, 'x'))
  linkSync(join(dir, 'a'), join(dir, 'b'))
  symlinkSync(`/${long}`, join(dir, 'link'))
  execFileSync('chmod', ['4755', join(dir, 'a')])
  execFileSync('mkfifo', [join(dir, 'pipe')])
  return dir
}

/** What a reader tells of an archive that comes in parts of so many bytes. */
function told(make: (onMember: OnMember) => MemberReader, archive: Buffer, bytes = archive.length) {
  const members: Member[] = []
  const contents = new Map<string, string>()
  const reader = make((member) => {
    members.push(member)
    return member.kind === 'file' ? (content) => contents.set(member.name, content.toString()) : undefined
  })
  for (let at = 0; at < archive.length; at += bytes) reader.push(archive.subarray(at, at + bytes))
  reader.end()
  return { members, contents, of: (name: string) => members.find((one) => one.name.endsWith(name)) }
}

const tar = (onMember: OnMember) => new TarReader(onMember)
const cpio = (onMember: OnMember) => new CpioReader(onMember)
const pack = (program: string, args: readonly string[], cwd: string, input = '') =>
  execFileSync(program, args, { cwd, input, stdio: ['pipe', 'pipe', 'ignore'] })

for (const format of ['gnu', 'pax', 'ustar']) {
  test(`a tar of GNU tar in its format ${format} is read, in parts of any size`, (t) => {
    const dir = tree(t)
    // ustar has no room for the long name that the link leads to.
    const without = format === 'ustar' ? ['--exclude=./link'] : []
    const archive = pack('tar', [`--format=${format}`, '--sort=name', ...without, '-c', '.'], dir)
    for (const bytes of [archive.length, 1, 511, 4096]) {
      const { of, contents } = told(tar, archive, bytes)
      assert.deepEqual(
        [of('/a')?.kind, of('/a')?.mode, of('/a')?.sizeBytes, contents.get('./a')],
        ['file', 0o4755, 12, 'content of a'],
      )
      assert.deepEqual([of('/b')?.kind, of('/b')?.target], ['hard link', './a'])
      if (format !== 'ustar') {
        assert.deepEqual([of('/link')?.kind, of('/link')?.target], ['link', `/${long}`])
      }
      assert.equal(of(`./${long}`)?.sizeBytes, 3000)
      assert.equal(contents.get(`./${long}`)?.length, 3000)
      assert.equal(of('/pipe')?.kind, 'fifo')
    }
  })
}

test('extended attributes and sparse files of a tar are told', (t) => {
  const dir = tree(t)
  const set = 'import os, sys; os.setxattr(sys.argv[1], "user.colour", b"red")'
  execFileSync('python3', ['-c', set, join(dir, 'a')])
  execFileSync('truncate', ['-s', '1M', join(dir, 'sparse')])
  for (const format of ['gnu', 'pax']) {
    const { members } = told(tar, pack('tar', [`--format=${format}`, '-S', '-c', 'sparse'], dir))
    assert.equal(members[0]?.kind, 'strange', format)
  }
  const { members } = told(tar, pack('tar', ['--format=pax', '--xattrs', '-c', 'a'], dir))
  assert.deepEqual(members[0]?.xattrs, ['user.colour'])
})

test('a cpio is read, also two in a row, and what is compressed behind it is not looked into', (t) => {
  const dir = tree(t)
  const names = execFileSync('find', ['.'], { cwd: dir }).toString()
  const archive = pack('cpio', ['-o', '-H', 'newc'], dir, names)
  for (const bytes of [archive.length, 1, 109]) {
    const { of } = told(cpio, Buffer.concat([archive, archive]), bytes)
    assert.deepEqual([of('a')?.kind, of('a')?.mode], ['file', 0o4755])
    assert.deepEqual([of('link')?.kind, of('link')?.target], ['link', `/${long}`])
    assert.equal(of(long)?.sizeBytes, 3000)
  }
  for (const padding of [0, 1, 3, 512]) {
    const reader = new CpioReader(() => undefined)
    reader.push(Buffer.concat([archive, Buffer.alloc(padding), Buffer.from('1f8b080000000000', 'hex')]))
    reader.end()
    assert.equal(reader.opaqueAt, archive.length + padding)
  }
})

test('an archive that is cut off anywhere is an error', (t) => {
  const dir = tree(t)
  const archive = pack('tar', ['-c', 'a', 'link'], dir)
  const end = archive.indexOf(Buffer.alloc(1024), 1024)
  for (let length = 0; length < end - 512; length += 97) {
    assert.throws(() => told(tar, archive.subarray(0, length)), /cut off/, `${length}`)
  }
  const packed = pack('cpio', ['-o', '-H', 'newc'], dir, 'a\nlink\n')
  for (let length = 0; length < 300; length += 7) {
    assert.throws(() => told(cpio, packed.subarray(0, length)), /cut off/, `${length}`)
  }
})

test('what tar-stream lets pass: a cut at the border of a member, members behind the end, a false pax record', (t) => {
  const dir = tree(t)
  const one = pack('tar', ['--format=ustar', '-b1', '-c', 'a'], dir)
  // Header and content fill two blocks; two blocks of zeros end it.
  assert.equal(one.length, 2048)
  assert.throws(() => told(tar, one.subarray(0, 1024)), /cut off/)
  assert.equal(told(tar, Buffer.concat([one, one])).members.length, 1)
  const pax = pack('tar', ['--format=pax', '-b1', '-c', 'a'], dir)
  pax.write('9', pax.indexOf(' mtime=') - 1)
  assert.throws(() => told(tar, pax), /a pax header makes no sense/)
})

test('mutated archives end in members or in an IMAGE_FAILED, never otherwise', (t) => {
  const dir = tree(t)
  const archives = [
    { make: tar, bytes: pack('tar', ['--format=pax', '-c', '.'], dir) },
    { make: tar, bytes: pack('tar', ['--format=gnu', '-c', '.'], dir) },
    { make: cpio, bytes: pack('cpio', ['-o', '-H', 'newc'], dir, 'a\nb\nlink\npipe\n') },
  ]
  for (const [index, { make, bytes }] of archives.entries()) {
    for (const variant of fuzzed(bytes.subarray(0, 8192), 20261122 + index, 1000)) {
      assert.match(
        outcome(() => told(make, variant, 1000)),
        /^(ok|IMAGE_FAILED)$/,
      )
    }
  }
})
