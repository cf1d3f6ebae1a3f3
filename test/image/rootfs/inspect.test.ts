import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Member } from '../../../archive/members.js'
import { Inspection } from '../../../image/rootfs/inspect.js'

type Short = Partial<Member> & { readonly name: string; readonly content?: string }

function inspected(members: readonly Short[]): Inspection {
  const inspection = new Inspection()
  for (const { content, ...short } of members) {
    const kind = short.kind ?? (short.target === undefined ? 'file' : 'link')
    const sizeBytes = content?.length ?? 0
    const common = { mode: 0o644, uid: 0, gid: 0, sizeBytes, target: undefined, xattrs: [] }
    inspection.onMember({ ...common, ...short, kind })?.(Buffer.from(content ?? ''))
  }
  return inspection
}

const systemd: readonly Short[] = [
  { name: './usr/lib/systemd/systemd' },
  { name: './sbin', target: 'usr/sbin' },
  { name: './lib', target: '/usr/lib' },
  { name: './usr/sbin/init', target: '/lib/systemd/systemd' },
]

test('an init is found through the links of a merged /usr, absolute ones too', () => {
  const inspection = inspected(systemd)
  assert.equal(inspection.facts().init, '/usr/lib/systemd/systemd')
  assert.deepEqual(inspection.findings(), [])
})

test('an init that leads nowhere or round in circles is none', () => {
  for (const target of ['/nowhere', 'init', '../../../../etc']) {
    const inspection = inspected([{ name: 'sbin/init', target }])
    assert.equal(inspection.facts().init, undefined, target)
    assert.deepEqual(
      inspection.findings().map(({ weight }) => weight),
      ['unbootable'],
    )
  }
})

test('what all nodes would share is a warning', () => {
  const texts = inspected([
    ...systemd,
    { name: 'etc/ssh/ssh_host_rsa_key', content: 'x' },
    { name: 'etc/ssh/ssh_host_rsa_key.pub', content: 'x' },
    { name: 'etc/machine-id', content: `${'0'.repeat(31)}1\n` },
    { name: 'etc/shadow', content: 'root:$y$x:1::::::\nnobody:!*:1\nguest::1\nlocked:!$y$x:1\nother:*:\n' },
  ]).findings()
  assert.deepEqual(
    texts.map(({ weight, text }) => `${weight} ${text}`),
    [
      'warning ssh host keys, which all nodes would share: /etc/ssh/ssh_host_rsa_key',
      'warning users with a password that all nodes would share, or with none: root, guest',
      'warning /etc/machine-id is not empty: all nodes would have that identity',
    ],
  )
})

test('what agents refuse comes first', () => {
  const escapes = Array.from({ length: 7 }, (_, index) => ({ name: `a/../../${index}` }))
  const texts = inspected([
    { name: 'x', kind: 'strange' },
    ...escapes,
    { name: 'h', kind: 'hard link', target: '../x' },
  ])
    .findings()
    .map(({ weight, text }) => `${weight} ${text.slice(0, 75)}`)
  assert.equal(
    texts[0],
    'refused names that lead out of the root: a/../../0, a/../../1, a/../../2, a/../../3',
  )
  assert.match(texts[1] ?? '', /^refused members of a kind/)
  assert.match(texts[2] ?? '', /^unbootable no init/)
})

test('facts are counted', () => {
  const facts = inspected([
    ...systemd,
    { name: 'dev/null', kind: 'device' },
    { name: 'bin/su', mode: 0o4755, content: '12345' },
    { name: 'bin/ping', content: '123', xattrs: ['security.capability'] },
    { name: 'bin/x', kind: 'hard link', target: 'bin/su' },
    { name: 'lib/modules/6.1.0-9-amd64/kernel/a.ko', content: '1' },
    { name: 'root/.ssh/authorized_keys', content: 'k' },
  ]).facts()
  assert.deepEqual(facts, {
    members: 10,
    unpackedBytes: 10,
    init: '/usr/lib/systemd/systemd',
    devices: 1,
    hardLinks: 1,
    absoluteLinks: 2,
    setuid: 1,
    capabilities: 1,
    kernels: ['6.1.0-9-amd64'],
    authorizedKeys: true,
  })
})
