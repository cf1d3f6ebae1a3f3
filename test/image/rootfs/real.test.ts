/** A root that is really built from Debian's packages: what is in it, and that a node unpacks all of it. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { before, describe, test } from 'node:test'
import { dictionaryOf } from '../../../archive/dictionary.js'
import { judgeName } from '../../../server/catalog/names.js'
import { debianRoot } from '../../support/debian-root.js'
import { catalog } from '../../support/farm.js'
import { machineHangMs } from '../../support/limits.js'
import { startAgent, startServer } from '../../support/processes.js'
import { checkout, scratch } from '../../support/scratch.js'

describe('a Debian root', { timeout: machineHangMs }, () => {
  let archive = ''
  let names: readonly string[] = []
  const text = (name: string) => execFileSync('tar', ['-xOf', archive, `./${name}`]).toString()

  before(async () => {
    archive = await debianRoot()
    const listing = execFileSync('tar', ['-tf', archive], { maxBuffer: 64 * 1024 * 1024 })
    names = listing
      .toString()
      .split('\n')
      .map((name) => name.replace(/^\.\//, ''))
  })

  const among = (form: RegExp) => names.filter((name) => form.test(name))

  test('has what makes a node', () => {
    for (const name of [
      'usr/lib/systemd/systemd',
      'usr/sbin/init',
      'usr/lib/systemd/systemd-udevd',
      'usr/sbin/sshd',
      'usr/bin/apt-get',
      'usr/sbin/ip',
      'etc/systemd/system/multi-user.target.wants/systemd-networkd.service',
      'etc/systemd/system/multi-user.target.wants/ssh.service',
      'etc/systemd/system/ssh.service.requires/ssh-host-keys.service',
    ]) {
      assert.ok(names.includes(name), name)
    }
    assert.match(text('etc/systemd/network/20-wired.network'), /KeepConfiguration=yes/)
    assert.doesNotMatch(text('etc/fstab'), /^[^#]/m)
  })

  test('holds nothing that two nodes must not share, and nothing of the machine that built it', () => {
    assert.deepEqual(among(/^etc\/ssh\/ssh_host_/), [])
    assert.deepEqual(among(/^(etc\/hostname|var\/lib\/dbus\/machine-id)$/), [])
    assert.equal(text('etc/machine-id'), '')
    for (const line of text('etc/shadow').trim().split('\n')) assert.match(line, /^[a-z_-]+:[*!]/)
    assert.match(text('etc/shadow'), /^root:\*:/m)
    const link = execFileSync('tar', ['-tvf', archive, './etc/resolv.conf']).toString()
    assert.match(link, /resolv\.conf -> \.\.\/run\/systemd\/resolve\/stub-resolv\.conf$/m)
    assert.deepEqual(among(/^var\/lib\/apt\/lists\/.*(InRelease|Packages)/), [])
    assert.deepEqual(among(/\.deb$|^var\/log\/.*\.log$|^root\/\.ssh\/.|-old$/), [])
    assert.deepEqual(among(/^usr\/share\/(man|locale)\/.*[^/]$/), [])
  })

  test('needs no more dictionary than agents take', () => {
    const head = readFileSync(archive).subarray(0, 65_536)
    assert.ok((dictionaryOf(head)?.bytes ?? Number.POSITIVE_INFINITY) <= 8 * 1024 * 1024)
  })

  test('is unpacked by a node as GNU tar unpacks it', {
    skip: process.getuid?.() !== 0 && 'NOT TESTED: needs root for owners and devices',
  }, async (t) => {
    const directory = scratch(t)
    const rootfs = join(directory, 'artifacts', 'rootfs')
    mkdirSync(rootfs, { recursive: true })
    execFileSync('cp', [archive, rootfs])
    writeFileSync(join(directory, 'bootswarm.yaml'), '')
    const server = await startServer(t, directory)
    await catalog(server)
    const target = join(directory, 'node')
    const expected = join(directory, 'expected')
    for (const name of [target, expected]) mkdirSync(name)
    const trust = join(server.dataDir, 'trust')
    const agent = startAgent(t, {
      node: 'rig1',
      target,
      server: server.url,
      trust,
      flags: ['--exit-after-boot'],
    })
    const { data } = await agent.event('boot.completed')
    assert.equal(Number(data.from_origin_bytes) + Number(data.from_peers_bytes) > 0, true)
    execFileSync('tar', [
      ...['-C', expected, '--numeric-owner', '--xattrs', '--xattrs-include=*', '-xpf', archive],
    ])
    for (const name of ['hostname', 'environment'])
      execFileSync('rm', ['-f', join(target, 'etc', name), join(expected, 'etc', name)])
    for (const name of ['.', 'etc']) {
      // These two have had members added and taken away since.
      for (const tree of [target, expected]) execFileSync('touch', ['-d', '@0', join(tree, name)])
    }
    assert.deepEqual(listing(target), listing(expected))
    assert.deepEqual(capabilities(target), capabilities(expected))
    execFileSync('diff', ['-r', '--no-dereference', '--exclude=dev', target, expected])
  })
})

test('an interrupted build leaves nothing behind', { timeout: machineHangMs }, async (t) => {
  const directory = scratch(t)
  const tmp = join(directory, 'tmp')
  mkdirSync(tmp)
  execFileSync('chmod', ['755', directory, tmp])
  const command = [join(checkout, 'dist/cli/bootswarm.js'), 'image', 'rootfs']
  const child = spawn(process.execPath, command, {
    cwd: directory,
    env: { ...process.env, TMPDIR: tmp },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.after(() => child.kill('SIGKILL'))
  const lines: string[] = []
  createInterface(child.stderr).on('line', (line) => {
    lines.push(line)
    if (line.includes('unpacking the essential packages')) {
      const artifacts = readdirSync(join(directory, 'artifacts', 'rootfs'))
      assert.deepEqual(
        artifacts.map((name) => judgeName(name).kind),
        ['passed over'],
      )
      child.kill('SIGINT')
    }
  })
  const status = await new Promise((resolve) => child.once('close', resolve))
  assert.equal(status, 1, lines.join('\n'))
  assert.match(lines.at(-1) ?? '', /IMAGE_FAILED: interrupted; nothing was left behind/)
  assert.deepEqual(readdirSync(tmp), [])
  assert.deepEqual(readdirSync(join(directory, 'artifacts', 'rootfs')), [])
  assert.doesNotMatch(readFileSync('/proc/mounts', 'utf8'), new RegExp(directory))
})

/** Kind, mode, owner, links, time, size and target of everything; sizes of directories are the file system's own. */
function listing(tree: string): string[] {
  const form = '%P %y %m %U %G %n %T@ %s %l\\n'
  return execFileSync('find', ['.', '-printf', form], { cwd: tree, maxBuffer: 64 * 1024 * 1024 })
    .toString()
    .split('\n')
    .map((line) => line.replace(/^(\S* d \S+ \S+ \S+) \S+ (\S+) \S+ /, '$1 $2 '))
    .sort()
}

/** The files with capabilities, and which. */
function capabilities(tree: string): string {
  const script = `import os, sys
for folder, _, names in sorted(os.walk(sys.argv[1])):
    for name in sorted(names):
        path = os.path.join(folder, name)
        if not os.path.islink(path) and 'security.capability' in os.listxattr(path):
            print(os.path.relpath(path, sys.argv[1]), os.getxattr(path, 'security.capability').hex())
`
  const found = execFileSync('python3', ['-c', script, tree]).toString()
  assert.match(found, /^usr\/bin\/ping /m)
  return found
}
