/** docs/plugins.md: its examples are run as they stand, and the agent takes what they make and refuses what it says. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { agentPath } from '../../host/agent-binary.js'
import { checkout, scratch } from '../support/scratch.js'

const page = readFileSync(join(checkout, 'docs/plugins.md'), 'utf8')
const sh = (dir: string, script: string) =>
  execFileSync('sh', ['-ec', script], { cwd: dir, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' })

function check(file: string): { ok: boolean; code?: string } {
  const { stdout } = spawnSync(agentPath(), ['check', file, '--kind', 'plugin'], { encoding: 'utf8' })
  return JSON.parse(stdout) as { ok: boolean; code?: string }
}

test('the examples make plugins that agents unpack', (t) => {
  const dir = scratch(t)
  mkdirSync(join(dir, 'artifacts/plugins'), { recursive: true })
  writeFileSync(join(dir, 'id_ed25519.pub'), 'ssh-ed25519 AAAA somebody\n')
  sh(
    dir,
    `mkdir -p deb/DEBIAN deb/usr/bin && echo hi > deb/usr/bin/hello && chmod 755 deb/DEBIAN
     printf 'Package: hello\\nVersion: 1\\nArchitecture: all\\nMaintainer: m <m@example.org>\\nDescription: d\\n' > deb/DEBIAN/control
     dpkg-deb --build --root-owner-group deb hello_1_all.deb`,
  )
  const examples = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, example = '']) => example)
  for (const example of examples) sh(dir, example)
  const made = readdirSync(join(dir, 'artifacts/plugins')).sort()
  assert.deepEqual(made, ['50-hello_1.0.tar.gz', '60-hello-deb.tar.zst', '90-keys.tar.gz'])
  assert.equal(made.length, examples.length)
  for (const name of made) assert.equal(check(join(dir, 'artifacts/plugins', name)).ok, true, name)
  const list = sh(dir, 'tar --list --verbose --file artifacts/plugins/50-hello_1.0.tar.gz')
  assert.match(list, /^-rwxr-xr-x root\/root .* \.\/opt\/hello\/run$/m)
  assert.match(list, /multi-user\.target\.wants\/hello\.service -> \.\.\/hello\.service$/m)
})

test('what it says is refused is refused with that code', (t) => {
  const dir = scratch(t)
  sh(
    dir,
    `echo x > x && mkfifo fifo && truncate -s 1M sparse && dd if=/dev/urandom of=big bs=1k count=64 status=none
     tar --absolute-names --transform 's,^x$,../x,' -cf escapes.tar x
     tar -cf fifo.tar fifo
     tar --sparse -cf sparse.tar sparse
     tar -cf - big | head -c 20000 > cut.tar
     tar -cjf bzip2.tar.bz2 x`,
  )
  const codes = ['escapes.tar', 'fifo.tar', 'sparse.tar', 'cut.tar', 'bzip2.tar.bz2'].map(
    (name) => check(join(dir, name)).code,
  )
  assert.deepEqual(codes, [
    'ARCHIVE_ESCAPES',
    'ARCHIVE_FORBIDDEN_ENTRY',
    'ARCHIVE_UNSUPPORTED',
    'ARCHIVE_MALFORMED',
    'ARCHIVE_UNSUPPORTED',
  ])
  for (const code of new Set(codes)) assert.ok(page.includes(`\`${code}\``), code)
})
