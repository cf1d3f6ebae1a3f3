/**
 * What the network interfaces of this machine are, as the kernel says it in /sys/class/net: their names say nothing
 * (`br-lan` is a network of machines, `br-8f2c` one of containers). Nodes boot on networks that a card leads to; tunnels,
 * and bridges of containers and virtual machines alone, are served only where the configuration asks for it.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { type NetbootConfig, subnetOf } from '../src/config-netboot.js'
import { isShortage } from '../src/errors.js'
import { inSubnet, parseIpv4 } from '../src/ipv4.js'

/** A network interface and its addresses. */
export interface HostInterface {
  readonly name: string
  readonly addresses: readonly NetworkInterfaceInfo[]
  /** A network card leads to its network, directly or below a bridge, bond or VLAN. */
  readonly isLan: boolean
  /** What it is, for people: `a network card`, `a bridge without a network card`. */
  readonly what: string
}

/** What the kernel reports about an interface. */
export interface LinkFacts {
  /** ARPHRD_* of linux/if_arp.h. */
  readonly type: number
  /** DEVTYPE of its uevent; empty where the driver names none. */
  readonly devtype: string
  /** It is a device on a bus: a card, real or virtual. */
  readonly hasDevice: boolean
  readonly isBridge: boolean
  readonly isTun: boolean
  /** It leads to another interface: the other end of a veth pair, or one in another network namespace. */
  readonly isLinked: boolean
  /** The interfaces below: ports of a bridge, cards of a bond, the card of a VLAN. */
  readonly lower: readonly string[]
}

const sysClassNet = '/sys/class/net'

const arphrd = { ethernet: 1, infiniband: 32, loopback: 772 } as const

/** Networks inside of other networks (DEVTYPE). */
const overlays = new Set(['vxlan', 'geneve', 'gtp', 'wireguard', 'ppp', 'wwan'])

/** Bridges of bonds of VLANs: deeper is a loop. */
const depthMax = 8

/** The interfaces that have an address and a link, in the order of the system. */
export function readInterfaces(): HostInterface[] {
  const kindOf = readKinds()
  return Object.entries(networkInterfaces()).map(([name, addresses = []]) => ({
    name,
    addresses,
    ...kindOf(name),
  }))
}

/** Tells what interfaces are, as /sys shows them now. */
export function readKinds(directory = sysClassNet): (name: string) => Pick<HostInterface, 'isLan' | 'what'> {
  const known = new Map<string, LinkFacts | undefined>()
  const link = (name: string) => {
    if (!known.has(name)) known.set(name, readLink(directory, name))
    return known.get(name)
  }
  const names = existsSync(directory) ? readdirSync(directory) : []
  const hasCards = names.some((name) => isCard(link(name)))
  return (name) => describe(name, link, hasCards)
}

/** Whether nodes boot there: as configured, else where a card or a pool of `netboot.mode: full` is. */
export function leadsToNodes(
  { name, addresses, isLan }: HostInterface,
  { interfaces: names, mode, pools }: Pick<NetbootConfig, 'interfaces' | 'mode' | 'pools'>,
): boolean {
  if (names.length > 0) return names.includes(name)
  return isLan || (mode === 'full' && pools.some(({ subnet }) => addresses.some(isIn(subnet))))
}

function isIn(subnetText: string): (info: NetworkInterfaceInfo) => boolean {
  const subnet = subnetOf(subnetText)
  return ({ address, family }) => {
    const number = family === 'IPv4' ? parseIpv4(address) : undefined
    return subnet !== undefined && number !== undefined && inSubnet(subnet, number)
  }
}

/** All addresses of this machine; link-local IPv6 is left out: it needs a zone to be reached. */
export function addressesOf(interfaces: readonly HostInterface[]): string[] {
  return interfaces
    .flatMap(({ addresses }) => addresses.map(({ address }) => address))
    .filter((address) => !/^fe80:/i.test(address))
}

/** The address for `address: auto`: the first IPv4 address that leads to nodes, else of a card, else 127.0.0.1. */
export function chooseAddress(interfaces: readonly HostInterface[], netboot: NetbootConfig): string {
  const first = (isWanted: (own: HostInterface) => boolean) =>
    interfaces
      .filter(isWanted)
      .flatMap(({ addresses }) => addresses)
      .find(({ family, internal }) => family === 'IPv4' && !internal)?.address
  return first((own) => leadsToNodes(own, netboot)) ?? first(({ isLan }) => isLan) ?? '127.0.0.1'
}

/** What an interface is. `hasCards`: this machine has a network card at all. */
export function describe(
  name: string,
  link: (name: string) => LinkFacts | undefined,
  hasCards: boolean,
): Pick<HostInterface, 'isLan' | 'what'> {
  const facts = link(name)
  // A /sys of another network namespace: an interface of unknown kind counts as the usual one.
  if (facts === undefined) return { isLan: true, what: 'an interface that /sys does not show' }
  const { type, devtype, isBridge, isTun, isLinked, lower } = facts
  if (type === arphrd.loopback) return { isLan: false, what: 'the loopback interface' }
  if (isTun) return { isLan: false, what: 'a tunnel or the network of a virtual machine (tun, tap)' }
  if (devtype === 'wwan') return { isLan: false, what: 'a mobile modem' }
  if (overlays.has(devtype) || !isEthernetLike(type)) {
    return { isLan: false, what: devtype === '' ? 'a tunnel' : `a tunnel (${devtype})` }
  }
  if (isCard(facts)) return { isLan: true, what: 'a network card' }
  const what = isBridge ? 'a bridge' : devtype === 'bond' || devtype === 'vlan' ? `a ${devtype}` : undefined
  if (lower.some((below) => leadsToCard(below, link, depthMax))) {
    return { isLan: true, what: `${what ?? 'an interface'} on a network card` }
  }
  if (what === undefined && isLinked) {
    // In a container its end of a veth pair, or a macvlan, is what a card is elsewhere.
    return hasCards
      ? { isLan: false, what: 'one end of a virtual cable (veth)' }
      : { isLan: true, what: 'the network card of a container' }
  }
  return { isLan: false, what: `${what ?? 'a virtual interface'} without a network card` }
}

function leadsToCard(name: string, link: (name: string) => LinkFacts | undefined, depth: number): boolean {
  const facts = link(name)
  if (facts === undefined || depth === 0 || overlays.has(facts.devtype)) return false
  return isCard(facts) || facts.lower.some((below) => leadsToCard(below, link, depth - 1))
}

function isCard(facts: LinkFacts | undefined): boolean {
  return facts?.hasDevice === true && isEthernetLike(facts.type) && !overlays.has(facts.devtype)
}

function isEthernetLike(type: number): boolean {
  return type === arphrd.ethernet || type === arphrd.infiniband
}

function readLink(directory: string, name: string): LinkFacts | undefined {
  const at = join(directory, name)
  try {
    const text = (file: string) => readFileSync(join(at, file), 'latin1').trim()
    const entries = readdirSync(at)
    return {
      type: Number(text('type')),
      devtype: /^DEVTYPE=(.*)$/m.exec(text('uevent'))?.[1] ?? '',
      hasDevice: entries.includes('device'),
      isBridge: entries.includes('bridge'),
      isTun: entries.includes('tun_flags'),
      isLinked: text('iflink') !== text('ifindex'),
      lower: entries.filter((entry) => entry.startsWith('lower_')).map((entry) => entry.slice(6)),
    }
  } catch (error) {
    if (isShortage(error)) throw error
    // It went away while it was read, or /sys is none of ours.
    return undefined
  }
}
