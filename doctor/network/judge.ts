/** From interfaces, addresses and routes to findings. Pure. */

import { isIPv6 } from 'node:net'
import { leadsToNodes } from '../../host/interfaces.js'
import { whyNothingServed } from '../../server/netboot/dhcp-site.js'
import { subnetOf } from '../../src/config-netboot.js'
import { formatIpv4, inSubnet, parseIpv4 } from '../../src/ipv4.js'
import { isLoopback } from '../../src/net.js'
import type { Site } from '../check.js'
import { type Finding, finding } from '../finding.js'
import type { LinkFacts, NetworkFacts, RouteFacts } from './facts.js'

type NetworkSite = Pick<Site, 'config' | 'mode' | 'served' | 'only' | 'interfaces'>

/** Slower than this, 500 nodes wait for each other. */
const usualMbit = 1000
const usualMtu = 1500
/** Errors below this are those of pulling a cable. */
const errorsMin = 100
const errorsShare = 1e-4

/** All about the network of this machine. */
export function judgeNetwork(facts: NetworkFacts, site: NetworkSite): Finding[] {
  return [
    ...which(facts, site),
    ...facts.links.filter(({ exists }) => exists).flatMap((link) => judgeLink(link)),
    ...facts.bpdus.map(({ interface: name, text }) =>
      finding(
        'STP_ON_WIRE',
        `${name}: the switch speaks spanning tree${delayOf(text)}: a port that comes up may be silent for twice that long, and firmware gives up sooner`,
        'set the nodes’ ports to edge (Cisco: spanning-tree portfast; others: edge port, fast link), not the ports between switches',
      ),
    ),
    ...judgeAddress(site),
    ...facts.duplicates.map(({ interface: name, address, mac }) =>
      finding(
        'ADDRESS_DUPLICATE',
        `${name}: ${mac} has the address ${address} of this server too`,
        `give one of the two another address; the switch's table says where ${mac} is`,
      ),
    ),
    ...judgeRoutes(facts, site),
  ]
}

/** Whether there is anything to serve. */
function which({ links }: NetworkFacts, { served, mode, only, interfaces, config }: NetworkSite): Finding[] {
  const known = interfaces.map(({ name }) => name).filter((name) => name !== 'lo')
  const missing = links.filter(({ exists }) => !exists)
  const by = only === undefined ? 'netboot.interfaces' : '--interface'
  const bare = links.filter(({ name, exists }) => exists && !served.some((one) => one.name === name))
  const findings = [
    ...missing.map(({ name }) =>
      finding(
        'INTERFACE_MISSING',
        `${by} names ${name}, but there is no such interface`,
        `one of: ${known.join(', ') || '(none)'}`,
      ),
    ),
    ...bare.map(({ name }) =>
      finding(
        'INTERFACE_NO_ADDRESS',
        `${name} has no IPv4 address: no DHCP there`,
        `sudo ip address add ADDRESS/PREFIX dev ${name}, and the same in the system's network configuration`,
      ),
    ),
  ]
  if (served.length > 0 || findings.length > 0 || mode === 'off') return findings
  const seen = `there is no interface to serve: ${whyNothingServed(config.netboot, interfaces)}`
  return [
    finding(
      'INTERFACE_NO_ADDRESS',
      seen,
      config.netboot.interfaces.length > 0
        ? 'correct netboot.interfaces'
        : 'give the interface to the nodes an address, or name it in netboot.interfaces',
    ),
  ]
}

function judgeLink(link: LinkFacts): Finding[] {
  const { name, hasCarrier, speedMbit, duplex, errors, packets, mtu, stp, heldPorts } = link
  if (!hasCarrier) {
    return [
      finding('LINK_DOWN', `${name} has no link`, `sudo ip link set ${name} up; then check cable and switch`),
    ]
  }
  return [
    ...(speedMbit !== undefined && speedMbit < usualMbit
      ? [
          finding(
            'LINK_SLOW',
            `${name} runs at ${speedMbit} Mbit/s: kernel and stage 1 of each node go through it`,
            `use a cable with all eight wires and a gigabit port; cat /sys/class/net/${name}/speed`,
          ),
        ]
      : []),
    ...(duplex === 'half'
      ? [
          finding(
            'LINK_HALF_DUPLEX',
            `${name} runs at half duplex: packets collide`,
            'use autonegotiation on both sides; then try another cable',
          ),
        ]
      : []),
    ...(errors >= errorsMin && errors > packets * errorsShare
      ? [
          finding(
            'LINK_ERRORS',
            `${name} had ${errors} errors in ${packets} packets`,
            `try another cable or port; ip -s link show ${name} counts them`,
          ),
        ]
      : []),
    ...(mtu < usualMtu
      ? [
          finding(
            'LINK_MTU',
            `${name} has an MTU of ${mtu}: firmware and nodes send ${usualMtu}`,
            `sudo ip link set ${name} mtu ${usualMtu}`,
          ),
        ]
      : []),
    ...(stp?.isOn === true && stp.forwardDelayMs > 0
      ? [
          finding(
            'STP_DELAY',
            `${name} is a bridge with spanning tree: machines that join it are cut off for ${(2 * stp.forwardDelayMs) / 1000} s, longer than firmware asks`,
            `sudo ip link set ${name} type bridge stp_state 0 forward_delay 0, unless the bridge is part of a ring`,
          ),
        ]
      : []),
    ...(stp?.isOn === false && stp.forwardDelayMs > 0
      ? [
          finding(
            'STP_DELAY',
            `${name} is a bridge with a forward delay: virtual machines that join it are cut off for ${stp.forwardDelayMs / 1000} s`,
            `sudo ip link set ${name} type bridge forward_delay 0`,
            'note',
          ),
        ]
      : []),
    ...heldPorts.map((text) => finding('STP_DELAY', `${name}: ${text}`, 'wait, or see bridge -d link')),
  ]
}

function judgeAddress({ config, interfaces, served, mode }: NetworkSite): Finding[] {
  const { address, bind } = config
  const at = interfaces.find(({ addresses }) => addresses.some((info) => info.address === address))
  const names = interfaces
    .flatMap(({ addresses }) => addresses.filter(({ internal, family }) => !internal && family === 'IPv4'))
    .map((info) => info.address)
  const set = `set address to one that nodes reach: ${names.join(', ') || 'there is none yet'}`
  const findings: Finding[] = []
  if (isLoopback(address)) {
    findings.push(
      finding(
        'ADDRESS_LOOPBACK',
        `nodes are told to reach the server at ${address}, which is each node’s own loopback address`,
        set,
      ),
    )
  } else if (at === undefined) {
    findings.push(
      finding(
        'ADDRESS_NOT_HERE',
        `nodes are told to reach the server at ${address}, which no interface of this machine has`,
        `${set}; nothing if a router forwards that address here`,
      ),
    )
  } else if (!at.isLan && !leadsToNodes(at, config.netboot)) {
    findings.push(
      finding(
        'ADDRESS_OF_BRIDGE',
        `nodes are told to reach the server at ${address}, the address of ${at.name}, which is ${at.what}`,
        set,
      ),
    )
  }
  const isAll = bind === '::' || (bind === '0.0.0.0' && !isIPv6(address))
  if (!isAll && bind !== address) {
    const seen = `the server listens only on ${bind}, but nodes are told ${address}`
    findings.push(finding('BIND_ELSEWHERE', seen, `set bind to ${isIPv6(address) ? '::' : '0.0.0.0'}`))
  }
  const number = parseIpv4(address)
  if (mode !== 'off' && findings.length === 0 && served.length > 0) {
    const elsewhere = served.filter(({ subnet }) => number === undefined || !inSubnet(subnet, number))
    for (const { name, address: own } of elsewhere) {
      findings.push(
        finding(
          'ADDRESS_OTHER_LAN',
          `nodes on ${name} (${formatIpv4(own)}) are told to reach the server at ${address}: they need a router${isIPv6(address) ? ' and an IPv6 address' : ''}`,
          `set address to ${formatIpv4(own)} if all nodes are there, or make sure that they get a router`,
        ),
      )
    }
  }
  return findings
}

function judgeRoutes(
  { routes, rpFilter }: NetworkFacts,
  { config, mode, served, interfaces }: NetworkSite,
): Finding[] {
  const findings: Finding[] = []
  for (const { name, other, block } of overlaps(served, interfaces)) {
    const seen = `${name} and ${other} (${block}) have addresses of the same subnet: replies leave through only one of them`
    const remedy = interfaces.some(({ name: its, isLan }) => its === other && !isLan)
      ? `give the containers another subnet (Docker: default-address-pools in /etc/docker/daemon.json)`
      : 'name the one that leads to the nodes in netboot.interfaces and give the other another subnet, or make the two a bond'
    findings.push(finding('SUBNET_TWICE', seen, remedy))
  }
  for (const pool of mode === 'full' ? config.netboot.pools : []) {
    const subnet = subnetOf(pool.subnet)
    if (subnet === undefined || served.some((one) => one.subnet.network === subnet.network)) continue
    const way = routeTo(routes, subnet.network + 1)
    if (way === undefined) {
      const seen = `the pool ${pool.subnet} is behind a relay, and this machine has no route there`
      findings.push(finding('ROUTE_MISSING', seen, `sudo ip route add ${pool.subnet} via THE_ROUTER`))
    } else if (!served.some(({ name }) => name === way) && served.some(({ name }) => rpFilter[name] === 1)) {
      const names = served.filter(({ name }) => rpFilter[name] === 1).map(({ name }) => name)
      const seen = `the route to ${pool.subnet} leads through ${way}: packets from there that arrive at ${names.join(', ')} are dropped (rp_filter is 1)`
      findings.push(
        finding(
          'ROUTE_BACK_FILTERED',
          seen,
          `sudo sysctl -w net.ipv4.conf.${names[0]}.rp_filter=2 net.ipv4.conf.all.rp_filter=2`,
        ),
      )
    }
  }
  return findings
}

/** Other interfaces whose subnet and that of a served one have addresses in common; two served ones once. */
function overlaps(
  served: NetworkSite['served'],
  interfaces: NetworkSite['interfaces'],
): { name: string; other: string; block: string }[] {
  return served.flatMap(({ name, subnet }, index) =>
    interfaces.flatMap(({ name: other, addresses }) => {
      const isTold = served.slice(0, index).some((one) => one.name === other)
      if (other === name || isTold) return []
      const block = addresses
        .flatMap(({ family, cidr }) => (family === 'IPv4' && cidr ? [cidr] : []))
        .find((cidr) => {
          const theirs = subnetOf(cidr)
          return (
            theirs !== undefined && (inSubnet(theirs, subnet.network) || inSubnet(subnet, theirs.network))
          )
        })
      return block === undefined ? [] : [{ name, other, block }]
    }),
  )
}

/** The interface of the longest route that fits. */
function routeTo(routes: readonly RouteFacts[], address: number): string | undefined {
  const fitting = routes.filter((route) => inSubnet(route, address)).sort((a, b) => b.mask - a.mask)
  return fitting[0]?.interface
}

/** Twice the forward delay is what a port waits: listening, then learning. */
function delayOf(bpdu: string): string {
  const delay = /forwarding-delay ([0-9.]+)s/.exec(bpdu)?.[1]
  return delay === undefined ? '' : ` (forward delay ${Number(delay)} s)`
}
