/**
 * The rack of a node: what the configuration says of its identity, else of its address, else its subnet
 * (/24 or /64): nodes behind one switch usually share one, and a wrong guess costs speed only.
 */

import { isIPv4, isIPv6 } from 'node:net'
import { expandHostlist } from './hostlist.js'
import { cidrMatcher, ipv6Groups, plainAddress } from './net.js'

/** One rack as configured. */
export interface RackRule {
  readonly name: string
  readonly subnets: readonly string[]
  /** A hostlist of identities. */
  readonly nodes?: string | undefined
}

/** Tells the rack of a node. Total: any identity and address has one. */
export type RackOf = (nodeId: string | undefined, address: string) => string

/**
 * Prepares the rules. A node named in a rack wins over subnets; among subnets the first that matches wins.
 *
 * @throws BootswarmError CONFIG_INVALID for a wrong hostlist
 */
export function makeRackOf(rules: readonly RackRule[]): RackOf {
  const byNode = new Map<string, string>()
  const bySubnet: { readonly name: string; readonly matches: (address: string) => boolean }[] = []
  for (const rule of rules) {
    for (const id of rule.nodes === undefined ? [] : expandHostlist(rule.nodes)) {
      if (!byNode.has(id)) byNode.set(id, rule.name)
    }
    for (const subnet of rule.subnets) bySubnet.push({ name: rule.name, matches: cidrMatcher(subnet) })
  }
  return (nodeId, address) => {
    const named = nodeId === undefined ? undefined : byNode.get(nodeId)
    if (named !== undefined) return named
    const plain = plainAddress(address)
    return bySubnet.find(({ matches }) => matches(plain))?.name ?? subnetOf(plain)
  }
}

/** `10.1.2.0/24` or `fd00:0:0:1::/64`; `unknown` for what is no address. */
export function subnetOf(address: string): string {
  if (isIPv4(address)) return `${address.slice(0, address.lastIndexOf('.'))}.0/24`
  if (!isIPv6(address)) return 'unknown'
  const groups = ipv6Groups(address).slice(0, 4)
  return `${groups.map((group) => group.toString(16)).join(':')}::/64`
}
