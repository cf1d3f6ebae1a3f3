import { copyFileSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { Kind } from '../support/firmware.js'
import { full, Network, proxy } from './network.js'

const kinds: [string, Kind][] = [
  ['bios', { firmware: 'BIOS with an iPXE ROM', card: 'virtio-net-pci', mac: '52:54:00:00:01:01' }],
  ['bios-e1000', { firmware: 'BIOS with an iPXE ROM', card: 'e1000', mac: '52:54:00:00:01:02' }],
  ['plain', { firmware: 'BIOS with a plain PXE ROM', card: 'virtio-net-pci', mac: '52:54:00:00:01:03' }],
  ['plain-e1000e', { firmware: 'BIOS with a plain PXE ROM', card: 'e1000e', mac: '52:54:00:00:01:04' }],
  ['uefi', { firmware: 'UEFI PXE', card: 'virtio-net-pci', mac: '52:54:00:00:01:05' }],
  ['uefi-e1000', { firmware: 'UEFI PXE', card: 'e1000', mac: '52:54:00:00:01:06' }],
  ['http', { firmware: 'UEFI HTTP boot', card: 'virtio-net-pci', mac: '52:54:00:00:01:07' }],
]
const only = process.env.PROBE?.split(',')
describe('probe', () => {
  for (const mode of (process.env.MODE ?? 'full').split(','))
    for (const [name, kind] of kinds) {
      if (only && !only.includes(name)) continue
      test(`${name} ${mode}`, { timeout: 120_000 }, async (t) => {
        const network = Network.make(t, mode === 'full' ? full : proxy)
        if (!network) return t.skip('NOT TESTED')
        const { site } = network.place
        copyFileSync(
          `/usr/lib/ipxe/${kind.firmware.startsWith('BIOS') ? 'ipxe.lkrn' : 'ipxe.efi'}`,
          site.artifact('boot/vmlinuz'),
        )
        writeFileSync(site.artifact('boot/stage1'), '#!ipxe\necho STAGE1-IS-HERE\n')
        if (mode !== 'full') await network.siteDhcp(t)
        if (process.env.RA) await network.router(t)
        const daemon = await network.start()
        const machine = await network.machine(t, kind)
        const began = performance.now()
        try {
          const status = await network.loaded(daemon, 1, 90_000)
          t.diagnostic(
            `${((performance.now() - began) / 1000).toFixed(1)} s ${JSON.stringify(status.netboot.services.tftp)}`,
          )
        } catch (error) {
          t.diagnostic(machine.console().slice(-2000))
          t.diagnostic(JSON.stringify(daemon.lines.slice(-20).map((l) => l.msg)))
          throw error
        }
      })
    }
})
