/** IPv4 addresses as numbers, for arithmetic on ranges and for fields of packets. */

import { isIPv4 } from 'node:net'

/** `10.0.0.1` as a number from 0 to 2^32 - 1; undefined if it is no IPv4 address. */
export function parseIpv4(text: string): number | undefined {
  if (!isIPv4(text)) return undefined
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

/** The address as text. */
export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}

/** A block of addresses. */
export interface Ipv4Subnet {
  /** The network's own address. */
  readonly network: number
  readonly mask: number
}

/** The block that an address with a prefix length (0 to 32) lies in. */
export function ipv4Subnet(address: number, prefix: number): Ipv4Subnet {
  const mask = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0
  return { network: (address & mask) >>> 0, mask }
}

/** Whether an address lies in a block. */
export function inSubnet({ network, mask }: Ipv4Subnet, address: number): boolean {
  return (address & mask) >>> 0 === network
}

/** The address that reaches all hosts of a block. */
export function broadcastOf({ network, mask }: Ipv4Subnet): number {
  return (network | ~mask) >>> 0
}
