/** Kinds of virtual machines by the way that they boot from the network, as arguments of QEMU. */
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { plainPxe } from './plain-pxe.js'

/** How a machine begins. */
export type Firmware =
  /** PC BIOS, and an iPXE in the ROM of the network card: it asks for its script at once. */
  | 'BIOS with an iPXE ROM'
  /** PC BIOS, and a ROM that knows PXE alone: it loads undionly.kpxe by TFTP. */
  | 'BIOS with a plain PXE ROM'
  /** Loads snponly.efi by TFTP. */
  | 'UEFI PXE'
  /** Loads ipxe.efi by HTTP. */
  | 'UEFI HTTP boot'

/** Network cards that QEMU has and Debian's kernels know. */
export type Card = 'virtio-net-pci' | 'e1000' | 'e1000e'

/** One machine. */
export interface Kind {
  readonly firmware: Firmware
  readonly card: Card
  readonly mac: string
}

const ovmf = '/usr/share/OVMF'
const roms = '/usr/lib/ipxe/qemu'

/** QEMU's arguments for a kind of machine whose network is the tap device `tap`; its variables lie in `directory`. */
export async function firmwareArgs(
  t: TestContext,
  kind: Kind,
  tap: string,
  directory: string,
): Promise<string[]> {
  const { firmware, card, mac } = kind
  const isPlain = firmware === 'BIOS with a plain PXE ROM'
  const isBios = firmware.startsWith('BIOS')
  // OVMF brings drivers of its own for virtio alone; with a ROM in the card iPXE would come from there, not from us.
  const rom = isBios ? '' : card === 'virtio-net-pci' ? 'romfile=,' : `romfile=${roms}/efi-${card}.rom,`
  const network = [
    ...['-netdev', `tap,id=n0,ifname=${tap},script=no,downscript=no,vnet_hdr=${isPlain ? 'off' : 'on'}`],
    ...['-device', `${card},netdev=n0,mac=${mac},${rom}bootindex=1`],
  ]
  if (isPlain) return [...network, ...(await plainPxe(t, directory, 'n0'))]
  if (isBios) return network
  const variables = join(directory, `${tap}.vars`)
  copyFileSync(`${ovmf}/OVMF_VARS_4M.fd`, variables)
  const off = ['IPv4', 'IPv6'].flatMap((ip) => [
    '-fw_cfg',
    `name=opt/org.tianocore/${ip}PXESupport,string=no`,
  ])
  return [
    ...['-machine', 'q35,smm=off'],
    ...['-drive', `if=pflash,format=raw,readonly=on,file=${ovmf}/OVMF_CODE_4M.fd`],
    ...['-drive', `if=pflash,format=raw,file=${variables}`],
    ...network,
    ...(firmware === 'UEFI HTTP boot' ? off : []),
  ]
}
