/**
 * Machines of four kinds beside the DHCP server that a site has: dnsmasq gives the addresses and knows of no network
 * boot, bootswarm adds it. Up to the root file system, a small one: what a node loads before the agent is what differs.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Kind } from '../support/firmware.js'
import { untilEqual } from '../support/processes.js'
import { makeBootFiles, makeSmallRoot } from '../support/stage1.js'
import { addPlugins, assertRedeemed } from './machines.js'
import { kernelArgs, Network, plainMac } from './network.js'

const kinds: readonly Kind[] = [
  { firmware: 'BIOS with an iPXE ROM', card: 'e1000', mac: '52:54:00:00:01:01' },
  { firmware: 'BIOS with a plain PXE ROM', card: 'virtio-net-pci', mac: '52:54:00:00:01:02' },
  { firmware: 'UEFI PXE', card: 'virtio-net-pci', mac: '52:54:00:00:01:03' },
  { firmware: 'UEFI HTTP boot', card: 'virtio-net-pci', mac: '52:54:00:00:01:04' },
]

/** Boots them all at once. Undefined without root. */
export async function besideDnsmasq(t: TestContext): Promise<true | undefined> {
  const network = Network.make(
    t,
    `{mode: proxy, interfaces: [lan0], kernel_args: '${kernelArgs}'}`,
    "settings: {POOL: 'pool.example:3333'}",
  )
  if (network === undefined) return undefined
  const { site } = network.place
  const stage = join(site.dir, 'small')
  makeSmallRoot(stage)
  mkdirSync(join(stage, 'var/lib/dpkg'), { recursive: true })
  const root = site.artifact('rootfs/small.tar.gz')
  execFileSync('tar', ['--owner=0', '--group=0', '-C', stage, '-czf', root, '.'])
  addPlugins(network)
  await network.siteDhcp(t)
  await network.router(t)
  const daemon = await network.place.start()
  const { kernel, stage1 } = await makeBootFiles(site.data, site.artifact('boot'), '--module', 'e1000')
  await network.published(daemon, 5)
  const beganMs = performance.now()
  await Promise.all(
    kinds.map(async (kind) => {
      const machine = await network.machine(t, kind, 512)
      await machine.says(/ROOT-IS-UP .*\./)
      const said = /ROOT-IS-UP .*?\./.exec(machine.console())?.[0] ?? ''
      const seconds = ((performance.now() - beganMs) / 1000).toFixed(1)
      t.diagnostic(`${kind.firmware}, ${kind.card}: ${said} after ${seconds} s`)
      assert.match(said, new RegExp(`host=node-${plainMac(kind.mac)} fs=tmpfs agents=1 .*pool=pool`))
    }),
  )
  const leases = network.siteLeases()
  for (const { mac } of kinds) assert.ok(leases.includes(mac), `${mac} has its address from dnsmasq`)
  await assertRedeemed(
    daemon.dataDir,
    kinds.map(({ mac }) => mac),
  )
  // The netboot process reports once a second.
  await untilEqual(
    'the counters',
    () => {
      const { netboot, origin } = network.status(daemon)
      const { dhcp = {}, tftp = {} } = netboot.services
      return {
        tftp: tftp.completed,
        offers: dhcp.offers,
        areAllAnswered: (dhcp.boot_offers ?? 0) >= kinds.length,
        others: netboot.dhcp_servers,
        bytes: origin.boot_bytes,
      }
    },
    {
      tftp: 2,
      offers: 0,
      areAllAnswered: true,
      others: ['10.77.0.2'],
      bytes: kinds.length * (kernel.bytes + stage1.bytes),
    },
  )
  return true
}
