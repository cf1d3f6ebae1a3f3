/** What a machine is, as its agent reports it once a boot (`machine.inventory`, docs/protocol.md). Pure. */

import { z } from 'zod'
import { matchesName } from './wildcard.js'

/** The event's type. */
export const inventoryType = 'machine.inventory'

/** An agent cuts its texts to 64 characters; what is not printable ASCII is an escape. */
const text = z.string().max(128)
const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const hex = (pattern: RegExp, what: string) => z.string().regex(pattern, `expected ${what}`)

const pci = z.object({
  class: hex(/^[0-9a-f]{4}$/, '4 hex digits').describe('class and subclass: 0300 is a VGA controller'),
  id: hex(/^[0-9a-f]{4}:[0-9a-f]{4}$/, 'an id such as 10de:2684').describe('vendor:device'),
  count: count.describe('so many of this kind'),
})
const nic = z.object({
  name: text.optional(),
  mac: hex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, 'a MAC address'),
  driver: text.optional(),
  speed_mbps: count.optional().describe('of its link; missing: it has none'),
})
const disk = z.object({ name: text.optional(), size_bytes: count, model: text.optional() })

/** All that is missing is not known. */
export const inventorySchema = z.object({
  vendor: text.optional(),
  product: text.optional(),
  version: text.optional(),
  serial: text.optional(),
  uuid: text.optional(),
  board_vendor: text.optional(),
  board: text.optional(),
  cpu: text.optional().describe('model of its processors'),
  cpus: count.optional().describe('logical processors'),
  cores: count.optional(),
  memory_bytes: count.optional(),
  firmware: text.optional().describe('uefi or bios'),
  secure_boot: z.boolean().optional(),
  tpm: text.optional().describe('1.2, 2.0, unknown (a TPM of another version), or none'),
  pci: z.array(pci).max(32).describe('storage, network, display and accelerators'),
  nics: z.array(nic).max(8),
  disks: z.array(disk).max(16).describe('those that the kernel of stage 1 has drivers for'),
})

/** A machine. */
export type Inventory = z.output<typeof inventorySchema>

/** The same as an agent sends it: a newer one may say more. */
export const reportedInventory = inventorySchema.catchall(z.unknown())

/** What was stored, maybe by another release; undefined: it is none. */
export function storedInventory(value: unknown): Inventory | undefined {
  return reportedInventory.safeParse(value).data
}

/** What of DMI nodes are told apart by. */
export const dmiKeys = ['vendor', 'product', 'version', 'serial', 'uuid', 'board_vendor', 'board'] as const

/** What nodes are told apart by: of each node that is remembered it is in memory, so it is no more than that. */
export interface MachineFacts {
  readonly dmi: Readonly<Partial<Record<(typeof dmiKeys)[number], string>>>
  /** vendor:device of each kind. */
  readonly pci: readonly string[]
  readonly macs: readonly string[]
}

/** Picks them. */
export function machineFacts(inventory: Inventory): MachineFacts {
  const dmi = dmiKeys.flatMap((key) => {
    const value = inventory[key]
    return value === undefined ? [] : [[key, value] as const]
  })
  return {
    dmi: Object.fromEntries(dmi),
    pci: [...new Set(inventory.pci.map(({ id }) => id))],
    macs: inventory.nics.map(({ mac }) => mac),
  }
}

/** Whether one of the patterns is one of the values; upper and lower case are alike. */
export function hasSome(patterns: readonly string[], values: readonly (string | undefined)[]): boolean {
  const own = values.flatMap((value) => value?.toLowerCase() ?? [])
  return patterns.some((pattern) => own.some((value) => matchesName(pattern.toLowerCase(), value)))
}
