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
  /** Identities of relays' ports (DHCP option 82); one that ends with `*` is the beginning of some. */
  readonly relay_ids?: readonly string[] | undefined
  /** The rack that its switch hangs behind; none: its switch hangs at the server. */
  readonly behind?: string | undefined
}

/** The identities of the relay's port that a node was seen at. */
export type RelayIdsOf = (nodeId: string) => readonly string[]

/** Tells the rack of a node. Total: any identity and address has one. */
export type RackOf = (nodeId: string | undefined, address: string) => string

/** A rack, and the place of its rule among all; none where the node's subnet is its rack. */
export interface ChosenRack {
  readonly name: string
  readonly rule: number | undefined
}

/** The same for a peer, known by its address alone: an IPv4 or IPv6 literal, never IPv4-mapped. */
export type RackOfAddress = (address: string) => string

/**
 * Prepares the rules. A node named in a rack wins over its relay's port, that over subnets; among equals the first
 * that matches wins.
 *
 * @throws BootswarmError CONFIG_INVALID for a wrong hostlist
 */
export function makeRackChoice(
  rules: readonly RackRule[],
  relayIdsOf: RelayIdsOf = () => [],
): (nodeId: string | undefined, address: string) => ChosenRack {
  const byNode = new Map<string, ChosenRack>()
  const bySubnet: { readonly rack: ChosenRack; readonly matches: (address: string) => boolean }[] = []
  const racks = rules.map(({ name }, rule): ChosenRack => ({ name, rule }))
  for (const [at, rack] of racks.entries()) {
    const { nodes, subnets = [] } = rules[at] ?? {}
    for (const id of nodes === undefined ? [] : expandHostlist(nodes)) {
      if (!byNode.has(id)) byNode.set(id, rack)
    }
    for (const subnet of subnets) bySubnet.push({ rack, matches: cidrMatcher(subnet) })
  }
  const hasRelayIds = rules.some((rule) => (rule.relay_ids ?? []).length > 0)
  return (nodeId, address) => {
    const named = nodeId === undefined ? undefined : byNode.get(nodeId)
    if (named !== undefined) return named
    const ids = nodeId === undefined || !hasRelayIds ? [] : relayIdsOf(nodeId)
    const relayed = ids.length === 0 ? -1 : rules.findIndex((rule) => hasRelayId(rule.relay_ids ?? [], ids))
    const rack = racks[relayed]
    if (rack !== undefined) return rack
    const plain = plainAddress(address)
    return bySubnet.find(({ matches }) => matches(plain))?.rack ?? { name: subnetOf(plain), rule: undefined }
  }
}

/** Whether one of a node's identities at its relay is among those that are wanted. */
export function hasRelayId(wanted: readonly string[], ids: readonly string[]): boolean {
  return wanted.some((pattern) =>
    ids.some((id) => (pattern.endsWith('*') ? id.startsWith(pattern.slice(0, -1)) : id === pattern)),
  )
}

/** `10.1.2.0/24` or `fd00:0:0:1::/64`; `unknown` for what is no address. */
export function subnetOf(address: string): string {
  if (isIPv4(address)) return `${address.slice(0, address.lastIndexOf('.'))}.0/24`
  if (!isIPv6(address)) return 'unknown'
  const groups = ipv6Groups(address).slice(0, 4)
  return `${groups.map((group) => group.toString(16)).join(':')}::/64`
}
