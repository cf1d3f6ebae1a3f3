/** What DHCP serves, and how it follows from the configuration and this machine's interfaces. Pure. */

import { type HostInterface, leadsToNodes } from '../../host/interfaces.js'
import { type NetbootConfig, parseRange, subnetOf } from '../../src/config-netboot.js'
import { type Ipv4Subnet, inSubnet, ipv4Subnet, parseIpv4 } from '../../src/ipv4.js'
import { normalizeMac } from '../../src/node-id.js'

/** One of this machine's interfaces. */
export interface DhcpInterface {
  readonly name: string
  readonly address: number
  readonly subnet: Ipv4Subnet
}

/** Addresses to give away in one subnet. */
export interface DhcpPool {
  readonly subnet: Ipv4Subnet
  readonly first: number
  readonly last: number
  /** 0: none. */
  readonly router: number
  readonly dns: readonly number[]
  /** Empty: none. */
  readonly domain: string
}

/** An address that belongs to one machine. */
export interface DhcpReservation {
  readonly mac: string
  readonly address: number
}

/** What DHCP serves. */
export interface DhcpSite {
  readonly mode: 'proxy' | 'full'
  readonly interfaces: readonly DhcpInterface[]
  /** Not in proxy mode, one for each subnet. */
  readonly pools: readonly DhcpPool[]
  readonly reservations: readonly DhcpReservation[]
  readonly leaseS: number
  /** Host of the HTTP listener in URLs where it is not the address of the receiving interface. */
  readonly httpHost?: string
  readonly httpPort: number
}

/** What DHCP serves in this mode. `pools` and `reservations` matter in mode full alone. */
export function makeDhcpSite(
  config: NetbootConfig,
  mode: DhcpSite['mode'],
  interfaces: readonly HostInterface[],
  reached: { readonly httpHost?: string; readonly httpPort: number },
): DhcpSite {
  const pools = mode === 'full' ? config.pools.flatMap((pool) => poolOf(config, pool) ?? []) : []
  return {
    mode,
    interfaces: servedInterfaces(config, interfaces, pools),
    pools,
    reservations: config.reservations.flatMap(({ mac, address }) => {
      const number = parseIpv4(address)
      const normal = normalizeMac(mac)
      return number === undefined || normal === undefined ? [] : [{ mac: normal, address: number }]
    }),
    leaseS: config.lease_s,
    ...reached,
  }
}

/** One address of each interface: that in a pool's subnet, else its first. */
function servedInterfaces(
  config: NetbootConfig,
  interfaces: readonly HostInterface[],
  pools: readonly DhcpPool[],
): DhcpInterface[] {
  return interfaces.flatMap((one) => {
    if (!leadsToNodes(one, config)) return []
    const { name, addresses } = one
    const own = addresses.flatMap(({ family, internal, cidr }) => {
      const [text = '', prefix = ''] = cidr?.split('/') ?? []
      const address = family === 'IPv4' ? parseIpv4(text) : undefined
      if (address === undefined || (internal && config.interfaces.length === 0)) return []
      return [{ name, address, subnet: ipv4Subnet(address, Number(prefix)) }]
    })
    const pooled = own.filter(({ address }) => pools.some(({ subnet }) => inSubnet(subnet, address)))
    return pooled.length > 0 ? pooled : own.slice(0, 1)
  })
}

/** Why nothing is served, for people. */
export function whyNothingServed(config: NetbootConfig, interfaces: readonly HostInterface[]): string {
  const bare = (name: string) => `${name} has no IPv4 address`
  if (config.interfaces.length > 0) return config.interfaces.map(bare).join('; ')
  const reasons = interfaces
    .filter(({ addresses }) => addresses.some(({ internal }) => !internal))
    .map((own) => (leadsToNodes(own, config) ? bare(own.name) : `${own.name} is ${own.what}`))
  return reasons.join('; ') || 'no network interface has an address'
}

function poolOf(config: NetbootConfig, pool: NetbootConfig['pools'][number]): DhcpPool | undefined {
  const subnet = subnetOf(pool.subnet)
  const range = parseRange(pool.range)
  if (subnet === undefined || range === undefined) return undefined
  return {
    subnet,
    ...range,
    router: parseIpv4(pool.router ?? config.router) ?? 0,
    dns: (pool.dns ?? config.dns).flatMap((address) => parseIpv4(address) ?? []),
    domain: pool.domain ?? config.domain,
  }
}
