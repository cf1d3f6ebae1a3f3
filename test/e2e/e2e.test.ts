/**
 * Real machines (QEMU, no KVM) from power on to a login: every kind of firmware, both ways to serve DHCP, the real server,
 * the real stage 1, a real Debian. `npm run test:e2e`; it ends after forty minutes, whatever happens.
 */
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { debianRoot } from '../support/debian-root.js'
import { armDeadline, timed } from './deadline.js'
import { besideDnsmasq } from './proxy.js'
import { Storm } from './storm.js'

const names = {
  proxy: 'beside dnsmasq: BIOS with e1000, plain PXE, UEFI PXE and UEFI HTTP boot, to a root file system',
  four: 'alone, on a slow uplink: four machines of four kinds at once to a login in a Debian',
  orphan: 'the server is killed after the manifest: the machine boots from the others',
} as const

/** Why nothing can be tested here; undefined: it can. */
function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, for network namespaces'
  const { error } = spawnSync('qemu-system-x86_64', ['--version'], { stdio: 'ignore' })
  return error === undefined ? undefined : 'needs qemu-system-x86_64 (apt-get install qemu-system-x86)'
}

const why = obstacle()
if (why === undefined) {
  armDeadline()
  test(names.proxy, async (t) => {
    timed(t)
    await besideDnsmasq(t)
  })

  test('a farm on a slow uplink', async (t) => {
    const root = await debianRoot()
    const storm = await Storm.make(t, root)
    // The machines live as long as this test, and seed for the next ones.
    await t.test(names.four, async (four) => {
      timed(four)
      await storm?.four(t, four)
    })
    await t.test(names.orphan, async (orphan) => {
      timed(orphan)
      await storm?.orphan(orphan)
    })
  })
} else {
  const list = Object.values(names).map((name) => `  ${name}\n`)
  process.stderr.write(`\nREAL MACHINES ARE NOT TESTED: ${why}. Not known to work:\n${list.join('')}\n`)
  for (const name of Object.values(names)) test(name, (t) => t.skip(`NOT TESTED: ${why}`))
}
