/** IP addresses, `IP:PORT` and CIDR blocks, IPv4 and IPv6, without I/O. */

import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'

/** An IP literal with a port. */
export interface IpPort {
  readonly ip: string
  readonly port: number
}

/** `1.2.3.4:80` or `[fd00::1]:80`; undefined if it is neither. Port 1 to 65535, without leading zeros. */
export function parseIpPort(text: string): IpPort | undefined {
  const match = /^(?:([0-9.]{7,15})|\[([0-9a-fA-F:.]{2,45})\]):([1-9][0-9]{0,4})$/.exec(text)
  if (!match) return undefined
  const ip = match[1] ?? match[2] ?? ''
  const port = Number(match[3])
  if (port > 65_535 || !(match[1] === undefined ? isIPv6(ip) : isIPv4(ip))) return undefined
  return { ip, port }
}

/** `IP:PORT` with brackets round IPv6. */
export function formatIpPort(ip: string, port: number): string {
  return isIPv6(ip) ? `[${ip}]:${port}` : `${ip}:${port}`
}

/** An address as URLs want it: IPv6 in brackets. */
export function formatUrlHost(ip: string): string {
  return isIPv6(ip) ? `[${ip}]` : ip
}

/** The address without a zone, and IPv4 from its IPv4-mapped form (`::ffff:10.0.0.1`) as dual sockets report it. */
export function plainAddress(address: string): string {
  const bare = address.replace(/%.*$/, '').toLowerCase()
  const mapped = /^::ffff:([0-9.]+)$/.exec(bare)?.[1]
  return mapped && isIPv4(mapped) ? mapped : bare
}

/**
 * Whom an address belongs to, where something is shared out by address: an IPv6 host has a whole /64 to itself (RFC 4291), and may
 * come from any address of it.
 */
export function addressOwner(address: string): string {
  const plain = plainAddress(address)
  return isIPv6(plain)
    ? `${ipv6Groups(plain)
        .slice(0, 4)
        .map((group) => group.toString(16))
        .join(':')}::/64`
    : plain
}

/** Whether an address is this machine's alone, also in its IPv4-mapped form. */
export function isLoopback(address: string): boolean {
  const plain = plainAddress(address)
  return plain === '::1' || plain.startsWith('127.')
}

/** Whether the text is a CIDR block such as `10.0.0.0/16` or `fd00::/64`. */
export function isCidr(text: string): boolean {
  return parseCidr(text) !== undefined
}

/** Network address and prefix length of a CIDR block; undefined if it is none. */
export function parseCidr(text: string): { readonly ip: string; readonly prefix: number } | undefined {
  const match = /^([0-9a-fA-F:.]{2,45})\/(0|[1-9][0-9]{0,2})$/.exec(text)
  if (!match?.[1]) return undefined
  const version = isIP(match[1])
  const prefix = Number(match[2])
  if (version === 0 || prefix > (version === 4 ? 32 : 128)) return undefined
  return { ip: match[1], prefix }
}

/** A test for addresses inside a CIDR block. The block must be valid ({@link isCidr}). */
export function cidrMatcher(cidr: string): (address: string) => boolean {
  const block = parseCidr(cidr)
  if (!block) throw new RangeError(`not a CIDR block: ${cidr}`)
  const family = isIPv4(block.ip) ? 'ipv4' : 'ipv6'
  const blocks = new BlockList()
  blocks.addSubnet(block.ip, block.prefix, family)
  return (address) => isIP(address) === (family === 'ipv4' ? 4 : 6) && blocks.check(address, family)
}

/**
 * The bits of an address behind its version, as text: those of its subnets are the beginnings. An IPv4-mapped address is an IPv4
 * address; empty for what is none.
 */
export function addressBits(address: string): string {
  const plain = plainAddress(address)
  if (isIPv4(plain))
    return `4${plain
      .split('.')
      .map((byte) => bits(Number(byte), 8))
      .join('')}`
  return isIPv6(plain)
    ? `6${ipv6Groups(plain)
        .map((group) => bits(group, 16))
        .join('')}`
    : ''
}

/** The same of a CIDR block, as far as it is given. The block must be valid ({@link isCidr}). */
export function cidrBits(cidr: string): string {
  const block = parseCidr(cidr)
  if (!block) throw new RangeError(`not a CIDR block: ${cidr}`)
  const whole = isIPv4(block.ip)
    ? addressBits(block.ip)
    : `6${ipv6Groups(block.ip)
        .map((group) => bits(group, 16))
        .join('')}`
  return whole.slice(0, 1 + block.prefix)
}

function bits(value: number, count: number): string {
  return value.toString(2).padStart(count, '0')
}

/** The 16-bit groups of a valid IPv6 address. */
export function ipv6Groups(address: string): number[] {
  // A dotted tail (`::ffff:1.2.3.4`) is two groups.
  const dotted = address.replace(/([0-9]+)\.([0-9]+)\.([0-9]+)\.([0-9]+)$/, (_, a, b, c, d) => {
    const hex = (high: string, low: string): string => ((Number(high) << 8) | Number(low)).toString(16)
    return `${hex(a as string, b as string)}:${hex(c as string, d as string)}`
  })
  const [head = '', tail] = dotted.split('::')
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((g) => Number.parseInt(g, 16))
  const left = groups(head)
  if (tail === undefined) return left
  const right = groups(tail)
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right]
}
