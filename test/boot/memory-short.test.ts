/** A real machine whose memory runs short after the boot: the agent behind `switch_root` gives its own back. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { machineHangMs } from '../support/limits.js'
import { makeSmallRoot, Stage1Site } from '../support/stage1.js'

const ballastMb = 40

/** Fills the root, which is memory, until 40 MB are left, and waits for the agent to let its artifacts go. */
const greedyInit = `#!/bin/busybox sh
export PATH=/bin
busybox --install -s /bin 2>/dev/null
available() { awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo; }
agents() { ps -o args | grep -c '[b]ootswarm-agent boot'; }
echo "ROOT-IS-UP agents=$(agents)."
dd if=/dev/zero of=/fill bs=1M count=$(($(available) - 40)) 2>/dev/null
echo "FILLED available=$(available)."
until [ "$(agents)" = 0 ]; do sleep 1; done
echo "AGENT-IS-GONE available=$(available)."
exec sleep 100000
`

test('a real machine that runs out of memory gets that of the artifacts back', {
  timeout: machineHangMs,
}, async (t) => {
  const site = await Stage1Site.make(t)
  if (site === undefined) return t.skip('NOT TESTED: needs root')
  const { place, daemon } = site
  const root = join(place.site.dir, 'greedy')
  makeSmallRoot(root)
  writeFileSync(join(root, 'usr/lib/init'), greedyInit, { mode: 0o755 })
  writeFileSync(join(root, 'ballast'), randomBytes(ballastMb * 1_000_000))
  const before = daemon.lines.length
  const archive = place.site.artifact('rootfs/small.tar.gz')
  execFileSync('tar', ['--owner=0', '--group=0', '-C', root, '-I', 'gzip -1', '-cf', archive, '.'])
  await daemon.line('catalog.published', before)
  const machine = site.boot(t, { mac: '52:54:00:00:00:07', memoryMb: 384 })
  await machine.says(/ROOT-IS-UP agents=1\./)
  await machine.says(/FILLED available=(?:[12345]\d|\d)\./)
  await machine.says(/bootswarm: memory is short .* small\.tar\.gz is seeded no more, 4\d\.\d MB given back/)
  await machine.says(/bootswarm: seeding ends, memory is short: .* 4\d\.\d MB of memory given back/)
  // What was left and what the agent gave back.
  await machine.says(/AGENT-IS-GONE available=(?:7|8|9|1\d)\d\./)
  for (const [said] of machine.console().matchAll(/(?:FILLED|AGENT-IS-GONE) available=\d+/g))
    t.diagnostic(`${said} MB`)
  await daemon.line('node.seeding.ended')
})
