/** The site on paper: namespaces, addresses, links, and the batches for `ip` and `tc` that build it. No I/O. */
import { GSO_BYTES, type Shape, tbf } from './shaping.js'
import type { RackShape } from './topology.js'

/** All namespaces of all storms begin so; what comes next is the process id of the bench. */
export const NAMESPACE_PREFIX = 'bwstorm-'
/** Address of the server in its namespace. */
export const SERVER_ADDRESS = '10.77.255.1'
/** Most ports of a Linux bridge. */
export const BRIDGE_PORTS_MAX = 1023

/** A machine of the site with one link. */
export interface Host {
  /** `n001`, or `x1` for a hostile peer. */
  readonly id: string
  readonly rack: number
  readonly address: string
  readonly mac: string
  readonly namespace: string
  /** The other end of its link, in the namespace of the site. */
  readonly port: string
  readonly slow: boolean
  /** Further addresses of the same card. */
  readonly aliases: readonly string[]
}

/** A rack with its uplink; in a flat network there is one without. */
export interface Rack {
  readonly index: number
  readonly name: string
  readonly bridge: string
  /** The rack that its uplink leads to; undefined: it leads to the core. */
  readonly behind: number | undefined
  /** The end of the uplink at the core, or at the rack that it hangs behind; empty in a flat network. */
  readonly corePort: string
  /** The end of the uplink at the rack. */
  readonly rackPort: string
  readonly subnet: string
}

/** Everything that is built. */
export interface Plan {
  readonly siteNamespace: string
  readonly serverNamespace: string
  readonly serverMac: string
  readonly serverPort: string
  readonly racks: readonly Rack[]
  readonly nodes: readonly Host[]
  /** Additional peers that claim everything and mean harm. */
  readonly liars: readonly Host[]
  /** Machines that run other programs: attackers. */
  readonly others: readonly Host[]
}

/** What the plan is made of. */
export interface PlanInput {
  readonly runId: string
  readonly racks: readonly RackShape[]
  /** All in one network, without uplinks. */
  readonly isFlat: boolean
  readonly liars: number
  /** Other machines, each with so many addresses. */
  readonly others?: { readonly count: number; readonly addresses: number }
  /** Index of a node: whether it is slow. */
  readonly isSlow: (index: number) => boolean
}

/** Lays the site out: rack after rack, each node in its place. */
export function makePlan(input: PlanInput): Plan {
  const flat = input.isFlat
  const prefix = `${NAMESPACE_PREFIX}${input.runId}-`
  const rackCount = input.racks.length
  const racks = input.racks.map(({ behind }, index): Rack => {
    const name = flat ? 'flat' : `rack${String(index + 1).padStart(2, '0')}`
    return {
      index,
      name,
      bridge: flat ? 'core' : `r${index}`,
      behind,
      corePort: flat ? '' : `u${index}`,
      rackPort: flat ? '' : `d${index}`,
      subnet: flat ? '10.77.0.0/16' : `10.77.${index + 1}.0/24`,
    }
  })
  const seats = racks.map(() => 0)
  const host = (id: string, rack: number, slow: boolean): Host => {
    const seat = (seats[rack] ?? 0) + 1
    seats[rack] = seat
    const [third, fourth] = flat
      ? [1 + Math.floor((seat - 1) / 250), ((seat - 1) % 250) + 1]
      : [rack + 1, seat]
    const mac = [2, 0, 10, 77, third, fourth].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
    const address = `10.77.${third}.${fourth}`
    return { id, rack, address, mac, namespace: `${prefix}${id}`, port: `p-${id}`, slow, aliases: [] }
  }
  const places = input.racks.flatMap(({ nodes: size }, rack) => Array.from({ length: size }, () => rack))
  const digits = String(places.length).length
  const nodes = places.map((rack, index) =>
    host(`n${String(index + 1).padStart(digits, '0')}`, rack, input.isSlow(index)),
  )
  const liars = Array.from({ length: input.liars }, (_, index) =>
    host(`x${index + 1}`, index % rackCount, false),
  )
  const others = Array.from({ length: input.others?.count ?? 0 }, (_, index): Host => {
    const rack = index % rackCount
    const first = host(`a${index + 1}`, rack, false)
    const more = Array.from({ length: (input.others?.addresses ?? 1) - 1 }, () => host('', rack, false))
    return { ...first, aliases: more.map(({ address }) => address) }
  })
  return {
    siteNamespace: `${prefix}site`,
    serverNamespace: `${prefix}srv`,
    serverMac: '02:00:0a:4d:ff:01',
    serverPort: 'p-srv',
    racks,
    nodes,
    liars,
    others,
  }
}

/** Every machine but the server. */
export function hostsOf(plan: Plan): readonly Host[] {
  return [...plan.nodes, ...plan.liars, ...plan.others]
}

/** Every namespace of the plan. */
export function namespaces(plan: Plan): string[] {
  return [plan.siteNamespace, plan.serverNamespace, ...hostsOf(plan).map((host) => host.namespace)]
}

/** `ip -n SITE -batch`: bridges and links. Interfaces exist in namespaces of the plan only. */
export function siteLinks(plan: Plan): string[] {
  const bridges = [...new Set(['core', ...plan.racks.map((rack) => rack.bridge)])]
  const lines = bridges.flatMap((bridge) => [
    // No learning phase, no spanning tree; multicast goes to all, as through a plain switch.
    `link add name ${bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0 ageing_time 360000`,
    `link set dev ${bridge} up`,
  ])
  const port = (name: string, bridge: string) => [
    `link set dev ${name} gso_max_size ${GSO_BYTES} master ${bridge} up`,
  ]
  for (const rack of plan.racks) {
    if (rack.corePort === '') continue
    lines.push(`link add name ${rack.corePort} type veth peer name ${rack.rackPort}`)
    const above = rack.behind === undefined ? 'core' : (plan.racks[rack.behind]?.bridge ?? 'core')
    lines.push(...port(rack.corePort, above), ...port(rack.rackPort, rack.bridge))
  }
  const host = (name: string, mac: string, namespace: string, bridge: string) => [
    `link add name ${name} type veth peer name eth0 address ${mac} netns ${namespace}`,
    ...port(name, bridge),
  ]
  lines.push(...host(plan.serverPort, plan.serverMac, plan.serverNamespace, 'core'))
  for (const node of hostsOf(plan)) {
    lines.push(...host(node.port, node.mac, node.namespace, plan.racks[node.rack]?.bridge ?? 'core'))
  }
  return lines
}

/** `tc -n SITE -batch`: what the switches send is shaped at each port. */
export function siteShapes(plan: Plan, full: Shape, slow: Shape): string[] {
  const add = (port: string, shape: Shape) => `qdisc add dev ${port} root ${tbf(shape)}`
  return [
    add(plan.serverPort, full),
    ...plan.racks.flatMap((rack) =>
      rack.corePort === '' ? [] : [add(rack.corePort, full), add(rack.rackPort, full)],
    ),
    ...hostsOf(plan).map((host) => add(host.port, host.slow ? slow : full)),
  ]
}

/** `ip -n HOST -batch` before {@link neighbours}. */
export function hostLinks(address: string, aliases: readonly string[] = []): string[] {
  return [
    'link set dev lo up',
    `link set dev eth0 gso_max_size ${GSO_BYTES} up`,
    `addr add ${address}/16 brd + dev eth0`,
    ...aliases.map((alias) => `addr add ${alias}/16 brd + dev eth0`),
    // For LSD; a host without the route could not send multicast at all.
    'route add 224.0.0.0/4 dev eth0',
  ]
}

/**
 * The MAC addresses of all hosts, the same lines for each. Asking for them (ARP) would cost each of 500 scaled-down links
 * 125 times the share of the real ones: every question goes to all.
 */
export function neighbours(plan: Plan): string[] {
  const add = (address: string, mac: string) => `neigh add ${address} lladdr ${mac} dev eth0 nud permanent`
  return [
    add(SERVER_ADDRESS, plan.serverMac),
    ...hostsOf(plan).flatMap(({ address, aliases, mac }) =>
      [address, ...aliases].map((each) => add(each, mac)),
    ),
  ]
}

/** The server's configuration: which subnet is which rack, and what it hangs behind. */
export function rackConfig({ racks }: Plan): { readonly racks: readonly object[] } {
  return {
    racks: racks.map(({ name, subnet, behind }) => ({
      name,
      subnets: [subnet],
      ...(behind === undefined ? {} : { behind: racks[behind]?.name }),
    })),
  }
}
