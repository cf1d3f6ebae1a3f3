import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { planNamespace } from '../../../server/privileges/namespace-plan.js'
import { namespaceScript } from '../../../server/privileges/namespace-script.js'
import { type PathWalk, walkPath } from '../../../server/privileges/path-walk.js'

const way = (real: string, links: [string, string][] = []): PathWalk => ({
  real,
  passed: [],
  links: new Map(links),
})

test('the topmost closed directory is covered, and only what is needed put back', () => {
  const ways = ['/root/a/clone', '/root/a/clone/data', '/root/.nvm/bin/node', '/srv/data'].map((at) =>
    way(at),
  )
  assert.deepEqual(planNamespace(ways, ['/root', '/root/a'], '/'), [
    { path: '/root', kept: ['/root/a/clone', '/root/.nvm/bin/node'], links: [], empty: [] },
  ])
})

test('names that only begin alike are different directories', () => {
  const ways = [way('/root/clone'), way('/root/clone2/data'), way('/root2/x')]
  const [cover, ...others] = planNamespace(ways, ['/root'], '/root2')
  assert.deepEqual(cover?.kept, ['/root/clone', '/root/clone2/data'])
  assert.equal(others.length, 0)
})

test('a closed directory that is needed whole, or lies in one that is, stays closed', () => {
  assert.deepEqual(planNamespace([way('/root'), way('/root/clone')], ['/root'], '/'), [])
  assert.deepEqual(planNamespace([way('/srv/clone'), way('/srv/clone/in/data')], ['/srv/clone/in'], '/'), [])
  assert.deepEqual(planNamespace([way('/srv/clone')], ['/'], '/'), [])
})

test('the working directory and links that are passed are there; what the kept ones hold is not made again', () => {
  const ways = [
    way('/root/r/1', [
      ['/root/current', 'r/1'],
      ['/root/r/1/x', 'y'],
      ['/etc/x', '/root'],
    ]),
  ]
  const [cover] = planNamespace(ways, ['/root'], '/root/work')
  assert.deepEqual([cover?.links, cover?.empty], [[['/root/current', 'r/1']], ['/root/work']])
  assert.deepEqual(planNamespace(ways, ['/root'], '/root/r/1/data')[0]?.empty, [])
})

test('a way goes through links, and round in circles for a while only', (t) => {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'bootswarm-way-')))
  t.after(() => rmSync(dir, { recursive: true }))
  mkdirSync(join(dir, 'a/b'), { recursive: true })
  writeFileSync(join(dir, 'file'), '')
  symlinkSync(join(dir, 'a'), join(dir, 'absolute'))
  symlinkSync('../file', join(dir, 'a/relative'))
  symlinkSync('circle', join(dir, 'circle'))
  const found = walkPath(`${dir}/absolute/b/../relative`)
  assert.equal(found?.real, join(dir, 'file'))
  assert.deepEqual(
    [...(found?.links ?? [])],
    [
      [join(dir, 'absolute'), join(dir, 'a')],
      [join(dir, 'a/relative'), '../file'],
    ],
  )
  for (const passed of ['/', dir, join(dir, 'a'), join(dir, 'a/b')]) assert.ok(found?.passed.includes(passed))
  assert.equal(walkPath(join(dir, 'circle')), undefined)
  assert.equal(walkPath(join(dir, 'missing/x')), undefined)
})

test('the script is one that a shell reads, whatever the names', () => {
  const path = "/root/it's $(here); `now`"
  const script = namespaceScript(
    [{ path, kept: [`${path}/a b`, `${path}/-f`], links: [[`${path}/l`, '-t "x"']], empty: [`${path}/w`] }],
    (at) => !at.endsWith('-f'),
  )
  const print = 'mount() { printf "%s\\n" "mount $*"; }; mkdir() { :; }; ln() { printf "%s\\n" "ln $*"; }'
  // Only words: nothing is mounted, made or opened.
  const words = script.replaceAll(/^exec 4.*$/gm, ':').replaceAll(/: >/g, 'echo ')
  const said = execFileSync('sh', ['-c', `${print}\n${words}`], { encoding: 'utf8' }).split('\n')
  assert.deepEqual(said.slice(0, -1), [
    `mount -t tmpfs -o mode=755,size=1m,nr_inodes=4096,nosuid,nodev bootswarm ${path}`,
    `mount -c --rbind /proc/self/fd/4/a b ${path}/a b`,
    `${path}/-f`,
    `mount -c --rbind /proc/self/fd/4/-f ${path}/-f`,
    `ln -s -- -t "x" ${path}/l`,
    `mount -o remount,ro ${path}`,
  ])
})
