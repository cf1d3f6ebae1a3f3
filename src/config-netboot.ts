/** The part of the configuration that is about network boot: DHCP. */

import { z } from 'zod'
import { broadcastOf, inSubnet, ipv4Subnet, parseIpv4 } from './ipv4.js'
import { kernelArgsMistake } from './kernel-args.js'
import { DHCP_LEASES_MAX, DHCP_OPTION_BYTES_MAX, NETBOOT_INTERFACES_MAX } from './limits.js'
import { parseCidr } from './net.js'
import { normalizeMac } from './node-id.js'

const ipv4 = z.string().refine((value) => parseIpv4(value) !== undefined, 'expected an IPv4 address')
const dnsServers = z.array(ipv4).max(Math.floor(DHCP_OPTION_BYTES_MAX / 4))
const domain = z
  .string()
  .max(DHCP_OPTION_BYTES_MAX)
  .regex(/^[A-Za-z0-9.-]*$/, 'expected a domain name')

/** Words for a kernel command line, as iPXE passes them on. */
export const kernelArgs = z.string().superRefine((value, context) => {
  const mistake = kernelArgsMistake(value)
  if (mistake !== undefined) context.addIssue({ code: 'custom', message: mistake })
})

const pool = z
  .strictObject({
    subnet: z
      .string()
      .refine((value) => subnetOf(value) !== undefined, 'expected an IPv4 subnet such as 10.1.2.0/24')
      .describe('subnet of an interface, or of a relay'),
    range: z
      .string()
      .refine(
        (value) => parseRange(value) !== undefined,
        'expected FIRST-LAST, such as 10.1.2.100-10.1.2.250',
      )
      .describe('addresses to give out, FIRST-LAST'),
    router: ipv4.optional().describe('before `netboot.router`'),
    dns: dnsServers.optional().describe('before `netboot.dns`'),
    domain: domain.optional().describe('before `netboot.domain`'),
  })
  .superRefine(({ subnet, range }, context) => {
    const block = subnetOf(subnet)
    const ends = parseRange(range)
    if (block === undefined || ends === undefined) return
    const within = (address: number) =>
      inSubnet(block, address) && address !== block.network && address !== broadcastOf(block)
    if (!within(ends.first) || !within(ends.last)) {
      context.addIssue({
        code: 'custom',
        path: ['range'],
        message: 'expected addresses of hosts in the subnet',
      })
    }
  })

const reservation = z.strictObject({
  mac: z
    .string()
    .refine((value) => normalizeMac(value) !== undefined, 'expected a MAC address')
    .describe('MAC address of the machine'),
  address: ipv4.describe('in the subnet of a pool, in its range or not'),
})

/** Where stage 1 puts a root file system. A squashfs is never unpacked, whatever this says. */
export const rootPlace = z.enum(['tmpfs', 'zram', 'overlay'])

/** The keys below `netboot`. */
export const netbootSchema = z
  .strictObject({
    mode: z
      .enum(['auto', 'proxy', 'full', 'off'])
      .default('auto')
      .describe(
        'proxy: beside the DHCP server of the site; full: the only one; auto: proxy where the ports can be opened, else off',
      ),
    interfaces: z
      .array(z.string().min(1).max(15))
      .max(NETBOOT_INTERFACES_MAX)
      .default([])
      .describe(
        'network interfaces to serve; empty: all with an IPv4 address that a network card leads to (also below a bridge, bond or VLAN) or that have a pool',
      ),
    ipxe_dir: z
      .string()
      .max(4096)
      .default('')
      .describe('directory with iPXE’s boot programs; empty: where the package ipxe puts them'),
    kernel_args: kernelArgs.default('').describe('kernel parameters for every node'),
    root: rootPlace
      .default('tmpfs')
      .describe(
        'where stage 1 puts the root file system; tmpfs: memory; zram: memory that is compressed where it gets short; overlay: a squashfs is expected',
      ),
    loads_max: z
      .int()
      .min(1)
      .max(1000)
      .default(8)
      .describe('nodes that load kernel and stage 1 at once; the others wait for their turn'),
    lease_s: z
      .int()
      .min(120)
      .max(365 * 24 * 3600)
      .default(24 * 3600)
      .describe('lease time in seconds (mode full)'),
    router: z
      .union([z.literal(''), ipv4])
      .default('')
      .describe('default gateway of the nodes (mode full); empty: none'),
    dns: dnsServers.default([]).describe('name servers of the nodes (mode full)'),
    domain: domain.default('').describe('domain of the nodes (mode full); empty: none'),
    pools: z
      .array(pool)
      .max(256)
      .default([])
      .describe('addresses to give out, one entry for each subnet (mode full)'),
    reservations: z
      .array(reservation)
      .max(16_384)
      .default([])
      .describe('addresses reserved for one machine each (mode full)'),
  })
  .superRefine(({ mode, pools, reservations }, context) => {
    const issue = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message })
    if (mode === 'full' && pools.length === 0)
      issue(['pools'], 'expected at least one: mode full gives addresses')
    const blocks = pools.map(({ subnet }) => subnetOf(subnet))
    let addresses = 0
    for (const [i, block] of blocks.entries()) {
      const ends = parseRange(pools[i]?.range ?? '')
      addresses += ends === undefined ? 0 : ends.last - ends.first + 1
      const other = blocks.findIndex(
        (b) => b && block && (inSubnet(b, block.network) || inSubnet(block, b.network)),
      )
      if (other < i) issue(['pools', i, 'subnet'], 'expected a subnet that no other pool has')
    }
    if (addresses > DHCP_LEASES_MAX)
      issue(['pools'], `expected at most ${DHCP_LEASES_MAX} addresses together`)
    const seen = new Set<string>()
    for (const [i, { mac, address }] of reservations.entries()) {
      const number = parseIpv4(address) ?? 0
      const at = blocks.findIndex((block) => block !== undefined && inSubnet(block, number))
      if (at < 0 && mode === 'full')
        issue(['reservations', i, 'address'], 'expected an address in the subnet of a pool')
      for (const key of [address, `${normalizeMac(mac)} ${at}`]) {
        if (seen.has(key)) issue(['reservations', i], `expected once: ${address} and ${mac} in one subnet`)
        seen.add(key)
      }
    }
  })

/** The netboot part of a configuration. */
export type NetbootConfig = z.output<typeof netbootSchema>

/** `10.1.2.0/24` as numbers; undefined if it is no IPv4 subnet with room for hosts. */
export function subnetOf(text: string): ReturnType<typeof ipv4Subnet> | undefined {
  const block = parseCidr(text)
  const address = block && parseIpv4(block.ip)
  return block === undefined || address === undefined || block.prefix < 8 || block.prefix > 30
    ? undefined
    : ipv4Subnet(address, block.prefix)
}

/** `FIRST-LAST` as numbers, the first not above the last; undefined if it is something else. */
export function parseRange(text: string): { readonly first: number; readonly last: number } | undefined {
  const [first, last, ...rest] = text.split('-').map((part) => parseIpv4(part.trim()))
  if (first === undefined || last === undefined || rest.length > 0 || first > last) return undefined
  return { first, last }
}
