/** What DHCP tells the timeline of a message and its answer. Pure. */

import { formatIpv4 } from '../../../src/ipv4.js'
import type { Fact, FactData, FactType } from '../../../src/timeline.js'
import type { Arrival } from './arrival.js'
import type { Effect } from './effect.js'
import { type DhcpMessage, messageTypes, optionCodes, relayIds } from './message.js'
import type { DhcpPacket } from './packet.js'
import type { Refusal } from './throttled-log.js'

/** A machine sent a message; `isOurs`: whether we are a server that it may name. */
export function seenFact(
  { message, port, interface: name }: Arrival,
  isOurs: (server: number) => boolean,
): Effect {
  const { type, archCodes, serverId, link, relayPort, packet } = message
  const isOther = serverId !== undefined && serverId !== link?.serverOverride && !isOurs(serverId)
  const ids = relayPort === undefined ? [] : relayIds(relayPort)
  return factOf('dhcp.seen', message, {
    message: type,
    port,
    interface: name,
    ...(archCodes.length === 0 ? {} : { arch: archCodes.join(' ') }),
    ...(isOther ? { other_server: formatIpv4(serverId) } : {}),
    ...(packet.giaddr === 0 ? {} : { relay: formatIpv4(packet.giaddr) }),
    ...(ids.length === 0 ? {} : { relay_port: ids.join(' ') }),
  })
}

/** The answers among these effects; that to a DISCOVER may come later than the message. */
export function answeredFacts(effects: readonly Effect[]): Effect[] {
  return effects.flatMap((effect) => (effect.kind === 'send' ? [answeredFact(effect)] : []))
}

/** Why a machine did not get what it asked for; without its message where that came earlier. */
export function refusedFacts(refusal: Refusal | undefined, message?: DhcpMessage): Effect[] {
  // What it says to another server is nothing that we refuse, nor what a booted system says to a proxy.
  if (refusal === undefined || refusal.reason === 'other_server' || refusal.reason === 'not_netboot')
    return []
  const { mac = message?.mac, ...data } = refusal
  if (mac === undefined) return []
  if (message !== undefined) return [factOf('dhcp.refused', message, data)]
  return [{ kind: 'fact', fact: { source: 'dhcp', type: 'dhcp.refused', mac, data } }]
}

function answeredFact({ packet, port }: Extract<Effect, { kind: 'send' }>): Effect {
  const { chaddr, yiaddr, ciaddr, options } = packet
  const mac = chaddr.toString('hex').replace(/(..)(?=.)/g, '$1:')
  const type = options.get(optionCodes.messageType)?.[0]
  if (type === messageTypes.nak) {
    const why = options.get(optionCodes.message)?.toString('latin1') ?? ''
    return { kind: 'fact', fact: { source: 'dhcp', type: 'dhcp.refused', mac, data: { reason: 'nak', why } } }
  }
  const address = yiaddr === 0 ? ciaddr : yiaddr
  const file = bootFileOf(packet)
  const data = {
    answer: type === messageTypes.offer ? 'offer' : 'ack',
    port,
    ...(file === '' ? {} : { file }),
  }
  const at = address === 0 ? {} : { address: formatIpv4(address) }
  return { kind: 'fact', fact: { source: 'dhcp', type: 'dhcp.answered', mac, ...at, data } }
}

function bootFileOf({ file, options }: DhcpPacket): string {
  return file === '' ? (options.get(optionCodes.bootFile)?.toString('latin1').replace(/\0$/, '') ?? '') : file
}

function factOf(type: FactType, message: DhcpMessage, data: FactData): Effect {
  const { mac, requestedAddress, packet } = message
  // Of a REQUEST: what it is about to use. A DISCOVER only wishes.
  const address = message.type === 'discover' ? packet.ciaddr : (requestedAddress ?? packet.ciaddr)
  const fact: Fact = {
    source: 'dhcp',
    type,
    mac,
    ...(address === 0 ? {} : { address: formatIpv4(address) }),
    data: { client: clientOf(message), ...data },
  }
  return { kind: 'fact', fact }
}

/** What speaks: the machine's firmware, an iPXE, or an operating system, stage 1 included. */
function clientOf({ isIpxe, bootClass }: DhcpMessage): 'ipxe' | 'firmware' | 'system' {
  if (isIpxe) return 'ipxe'
  return bootClass === undefined ? 'system' : 'firmware'
}
