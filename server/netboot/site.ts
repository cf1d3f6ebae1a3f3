/** From the configuration and this machine's interfaces to what DHCP serves. Pure. */

import type { NetworkInterfaceInfo } from 'node:os'
import { type NetbootConfig, parseRange, subnetOf } from '../../src/config-netboot.js'
import { inSubnet, ipv4Subnet, parseIpv4 } from '../../src/ipv4.js'
import { normalizeMac } from '../../src/node-id.js'
import type { DhcpInterface, DhcpPool, DhcpSite } from './dhcp/types.js'

/** Networks of containers and virtual machines on this host: nobody boots a rig there. */
export const containerBridge =
  /^(docker|br-|veth|virbr|lxc|lxd|cni|flannel|podman|cali|tap|tun|wg|tailscale|zt)/

/** What `os.networkInterfaces()` gives. */
export type Interfaces = Readonly<Record<string, NetworkInterfaceInfo[] | undefined>>

/** What DHCP serves in this mode. `pools` and `reservations` matter in mode full alone. */
export function makeDhcpSite(
  config: NetbootConfig,
  mode: DhcpSite['mode'],
  interfaces: Interfaces,
  reached: { readonly httpHost?: string; readonly httpPort: number },
): DhcpSite {
  const pools = mode === 'full' ? config.pools.flatMap((pool) => poolOf(config, pool) ?? []) : []
  return {
    mode,
    interfaces: servedInterfaces(config.interfaces, interfaces, pools),
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
  names: readonly string[],
  interfaces: Interfaces,
  pools: readonly DhcpPool[],
): DhcpInterface[] {
  return Object.entries(interfaces).flatMap(([name, infos]) => {
    if (names.length > 0 ? !names.includes(name) : containerBridge.test(name)) return []
    const own = (infos ?? []).flatMap(({ family, internal, cidr }) => {
      const [text = '', prefix = ''] = cidr?.split('/') ?? []
      const address = family === 'IPv4' ? parseIpv4(text) : undefined
      if (address === undefined || (internal && names.length === 0)) return []
      return [{ name, address, subnet: ipv4Subnet(address, Number(prefix)) }]
    })
    const pooled = own.filter(({ address }) => pools.some(({ subnet }) => inSubnet(subnet, address)))
    return pooled.length > 0 ? pooled : own.slice(0, 1)
  })
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
