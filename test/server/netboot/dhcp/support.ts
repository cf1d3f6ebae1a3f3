/** Clients and a site for the DHCP tests: messages are made here, time is virtual. */
import type { AddressUse } from '../../../../server/netboot/dhcp/arp.js'
import { type Datagram, DhcpMachine } from '../../../../server/netboot/dhcp/decide.js'
import type { Effect } from '../../../../server/netboot/dhcp/effect.js'
import { messageTypes, optionCodes } from '../../../../server/netboot/dhcp/message.js'
import { type DhcpPacket, encodePacket } from '../../../../server/netboot/dhcp/packet.js'
import type { DhcpSite } from '../../../../server/netboot/dhcp-site.js'
import type { Lease } from '../../../../src/dhcp-lease.js'
import { ipv4Subnet, parseIpv4 } from '../../../../src/ipv4.js'

/** An address that is known to be one. */
export function ip(text: string): number {
  const address = parseIpv4(text)
  if (address === undefined) throw new RangeError(text)
  return address
}

export const lan = { name: 'lan0', address: ip('10.77.0.1'), subnet: ipv4Subnet(ip('10.77.0.0'), 24) }
export const pool = {
  subnet: lan.subnet,
  first: ip('10.77.0.100'),
  last: ip('10.77.0.120'),
  router: 0,
  dns: [],
  domain: '',
}

/** One interface, one pool of 21 addresses. */
export function site(more: Partial<DhcpSite> = {}): DhcpSite {
  return {
    mode: 'full',
    interfaces: [lan],
    pools: [pool],
    reservations: [],
    leaseS: 600,
    httpPort: 8480,
    ...more,
  }
}

/** What a message says beside its type. */
export interface Said {
  readonly mac?: string
  readonly xid?: number
  readonly ciaddr?: string
  readonly giaddr?: string
  readonly isBroadcast?: boolean
  readonly wanted?: string
  readonly server?: string
  readonly options?: readonly (readonly [number, Buffer])[]
}

export const pxe: [number, Buffer][] = [
  [optionCodes.vendorClass, Buffer.from('PXEClient:Arch:00007:UNDI:003016')],
  [optionCodes.architecture, Buffer.from([0, 7])],
]

/** The bytes of a client's message. */
export function say(type: keyof typeof messageTypes, said: Said = {}): Buffer {
  const address = (text: string | undefined) => (text === undefined ? 0 : ip(text))
  const four = (text: string) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(ip(text))
    return bytes
  }
  const packet: DhcpPacket = {
    op: 1,
    htype: 1,
    hops: 0,
    xid: said.xid ?? 7,
    secs: 0,
    isBroadcast: said.isBroadcast ?? false,
    ciaddr: address(said.ciaddr),
    yiaddr: 0,
    siaddr: 0,
    giaddr: address(said.giaddr),
    chaddr: Buffer.from((said.mac ?? '52:54:00:00:00:01').replaceAll(':', ''), 'hex'),
    sname: '',
    file: '',
    options: new Map<number, Buffer>([
      [optionCodes.messageType, Buffer.from([messageTypes[type]])],
      ...(said.wanted === undefined ? [] : [[optionCodes.requestedAddress, four(said.wanted)] as const]),
      ...(said.server === undefined ? [] : [[optionCodes.serverId, four(said.server)] as const]),
      ...(said.options ?? []),
    ]),
  }
  return encodePacket(packet)
}

export type Sent = Extract<Effect, { kind: 'send' }>

/** A machine in virtual time whose probes are answered at once. */
export class Bench {
  readonly machine: DhcpMachine
  nowMs = 1_000_000
  /** Who answers ARP, by address. */
  readonly users = new Map<number, string>()
  readonly effects: Effect[] = []

  constructor(of: DhcpSite = site(), leases: Iterable<Lease> = []) {
    this.machine = new DhcpMachine(of, leases)
  }

  /** Hands it a message; what was sent in answer. */
  hear(bytes: Uint8Array, how: Partial<Omit<Datagram, 'bytes'>> = {}): Sent[] {
    const from = { address: 0, port: 68 }
    const datagram = { bytes, port: 'dhcp', interface: lan.name, local: undefined, from, ...how } as const
    const effects = this.machine.receive(datagram, this.nowMs)
    const all: Effect[] = []
    for (let next = effects.shift(); next !== undefined; next = effects.shift()) {
      all.push(next)
      if (next.kind === 'probe') {
        const by = this.users.get(next.address)
        const use: AddressUse = by === undefined ? { kind: 'free' } : { kind: 'used', by }
        effects.push(...this.machine.probed(next.address, use, this.nowMs))
      }
    }
    this.effects.push(...all)
    return all.filter((effect) => effect.kind === 'send')
  }

  /** DISCOVER and REQUEST; the address that was acknowledged. */
  lease(said: Said = {}): number {
    const [offer] = this.hear(say('discover', said))
    if (offer === undefined) throw new Error('no offer')
    const [ack] = this.hear(say('request', { ...said, ...asking(offer) }))
    if (ack === undefined || typeOf(ack) !== 'ack') throw new Error('no ack')
    return ack.packet.yiaddr
  }

  told(event: string): number {
    return this.effects.filter((effect) => effect.kind === 'tell' && effect.event === event).length
  }
}

/** What a REQUEST for an offer says. */
export function asking({ packet }: Sent): { wanted: string; server: string } {
  const text = (address: number) => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
  return { wanted: text(packet.yiaddr), server: text(packet.options.get(54)?.readUInt32BE() ?? 0) }
}

/** The name of a reply's type. */
export function typeOf({ packet }: Sent): string {
  const code = packet.options.get(optionCodes.messageType)?.[0]
  return Object.entries(messageTypes).find(([, value]) => value === code)?.[0] ?? ''
}
