/**
 * Real firmware from power on to a running kernel, in a network of its own: DHCP, TFTP or HTTP, iPXE, script, kernel
 * and stage 1, all from the real server. The kernels are iPXEs, which start at once: a PC's is a Linux kernel to a boot
 * loader, a UEFI one an EFI program, as Linux is.
 */
import assert from 'node:assert/strict'
import { copyFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import type { Daemon } from '../server/main/support.js'
import { NetbootSite } from '../server/netboot/support.js'
import { type Machine, startMachine } from '../support/machine.js'
import { until } from '../support/processes.js'

const firmware = '/usr/share/OVMF'
const programs = '/usr/lib/ipxe'
const full = `{mode: full, interfaces: [lan0], pools: [{subnet: 10.77.0.0/24, range: 10.77.0.100-10.77.0.110}]}`

interface Status {
  readonly version: number
  readonly origin: { readonly boot_bytes: number }
  readonly netboot: {
    readonly services: Record<string, Record<string, number>>
    readonly queue: { completed: number }
  }
}

interface Place {
  readonly machine: Machine
  status(): Status
  /** Kernel and stage 1, bytes. */
  readonly bootBytes: number
}

/** A site with this kernel, and a machine that is switched on there. */
async function powerOn(
  t: TestContext,
  kernel: string,
  args: (dir: string) => string[],
): Promise<Place | undefined> {
  const place = NetbootSite.make(t, full)
  if (place === undefined) return undefined
  const { site, wire } = place
  const vmlinuz = site.artifact('boot/vmlinuz')
  const stage1 = site.artifact('boot/stage1')
  copyFileSync(join(programs, kernel), vmlinuz)
  writeFileSync(stage1, '#!ipxe\necho STAGE1-IS-HERE\n')
  const daemon: Daemon = await place.start()
  const status = () => place.status(daemon) as unknown as Status
  await until('the catalog', async () => status().version > 0 || undefined)
  wire.server('ip', 'tuntap', 'add', 'dev', 'tap0', 'mode', 'tap')
  wire.server('ip', 'link', 'set', 'tap0', 'master', 'lan0', 'up')
  const network = ['-netdev', 'tap,id=n0,ifname=tap0,script=no,downscript=no']
  const machine = startMachine(t, {
    args: [...network, ...args(site.dir)],
    command: (...words) => wire.command('server', ...words),
  })
  return { machine, status, bootBytes: statSync(vmlinuz).size + statSync(stage1).size }
}

const card = (rom: string) => ['-device', `virtio-net-pci,netdev=n0,mac=52:54:00:00:00:07,${rom}bootindex=1`]

function uefi(dir: string): string[] {
  copyFileSync(`${firmware}/OVMF_VARS_4M.fd`, `${dir}/vars.fd`)
  return [
    ...[
      '-machine',
      'q35,smm=off',
      '-drive',
      `if=pflash,format=raw,readonly=on,file=${firmware}/OVMF_CODE_4M.fd`,
    ],
    ...['-drive', `if=pflash,format=raw,file=${dir}/vars.fd`, ...card('romfile=,')],
  ]
}

async function boots({ machine, status, bootBytes }: Place): Promise<Status> {
  await machine.says(/node-525400000007 \(52:54:00:00:00:07\) loads version [0-9]+: vmlinuz, stage1/)
  await until(
    'kernel and stage 1 to be loaded',
    async () => status().netboot.queue.completed === 1 || undefined,
    60_000,
  )
  await until('the bytes', async () => status().origin.boot_bytes === bootBytes || undefined)
  return status()
}

// Mostly waiting: firmware waits for answers that nobody gives.
describe('from power on to a running kernel', { concurrency: 3 }, () => {
  test('BIOS with an iPXE ROM boots', { timeout: 120_000 }, async (t) => {
    const place = await powerOn(t, 'ipxe.lkrn', () => card(''))
    if (place === undefined) return t.skip('NOT TESTED: needs root')
    await boots(place)
    await place.machine.says(/bootswarm\.server=https:\/\/10\.77\.0\.1:[0-9]+: command not found/)
  })

  test('UEFI PXE loads snponly.efi by TFTP and boots', { timeout: 180_000 }, async (t) => {
    const place = await powerOn(t, 'ipxe.efi', uefi)
    if (place === undefined) return t.skip('NOT TESTED: needs root')
    const { netboot } = await boots(place)
    assert.equal(netboot.services.tftp?.completed, 1)
  })

  test('UEFI HTTP boot loads ipxe.efi by HTTP and boots', { timeout: 180_000 }, async (t) => {
    const off = ['IPv4', 'IPv6'].flatMap((ip) => [
      '-fw_cfg',
      `name=opt/org.tianocore/${ip}PXESupport,string=no`,
    ])
    const place = await powerOn(t, 'ipxe.efi', (dir) => [...uefi(dir), ...off])
    if (place === undefined) return t.skip('NOT TESTED: needs root')
    const { netboot } = await boots(place)
    assert.equal(netboot.services.tftp?.completed, 0)
  })
})
