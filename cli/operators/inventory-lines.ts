/** What a machine is, on a few lines. Pure. */
import type { Inventory } from '../../src/inventory.js'
import { formatBytes } from './words.js'

type Pci = Inventory['pci'][number]

/** Names and texts; empty ones are not known. */
export function inventoryRows(inventory: Inventory): [name: string, text: string][] {
  const { vendor, product, version, serial, uuid, board_vendor: boardVendor, board } = inventory
  return [
    ['machine', [joined(' ', vendor, product, version), named('serial', serial), named('UUID', uuid)]],
    ['board', [joined(' ', boardVendor, board)]],
    ['cpu', [inventory.cpu, coresOf(inventory)]],
    ['memory', [inventory.memory_bytes === undefined ? undefined : formatBytes(inventory.memory_bytes)]],
    ['firmware', firmwareOf(inventory)],
    ['pci', inventory.pci.map(pciOf)],
    [
      'nics',
      inventory.nics.map(({ name, mac, driver, speed_mbps: speed }) =>
        joined(' ', name, mac, driver, speed === undefined ? undefined : `${speed} Mbit/s`),
      ),
    ],
    [
      'disks',
      inventory.disks.map(({ name, size_bytes: size, model }) => joined(' ', name, formatBytes(size), model)),
    ],
  ].map(([name, texts]) => [name as string, joined(', ', ...(texts as (string | undefined)[]))])
}

function coresOf({ cpus, cores }: Inventory): string {
  if (cpus === undefined) return ''
  const threads = cpus === 1 ? '1 processor' : `${cpus} processors`
  return cores === undefined || cores === cpus ? threads : `${threads} on ${cores} cores`
}

function firmwareOf({ firmware, secure_boot: isSecure, tpm }: Inventory): (string | undefined)[] {
  return [
    firmware === 'uefi' || firmware === 'bios' ? firmware.toUpperCase() : firmware,
    isSecure === undefined ? undefined : `Secure Boot ${isSecure ? 'on' : 'off'}`,
    tpm === undefined ? undefined : tpm === 'none' ? 'no TPM' : `TPM ${tpm}`,
  ]
}

/** PCI Code and ID Assignment Specification, base classes. */
const pciClasses: Readonly<Record<string, string>> = {
  '01': 'storage',
  '02': 'network',
  '03': 'display',
  '12': 'accelerator',
}

function pciOf({ class: code, id, count }: Pci): string {
  return joined(' ', count === 1 ? undefined : `${count} x`, id, pciClasses[code.slice(0, 2)])
}

function named(name: string, value: string | undefined): string {
  return value === undefined ? '' : `${name} ${value}`
}

function joined(separator: string, ...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join(separator)
}
