/**
 * Proxy mode: another DHCP server gives the addresses, we only say what to boot (PXE 2.1, section 2.2).
 * Never answers anybody who does not ask for network boot.
 */

import type { ThrottledLog } from './counters.js'
import { makeReply } from './reply.js'
import type { Arrival, BootFor, DhcpSite, Effect } from './types.js'

/** Answers on port 67: an offer without an address beside the one of the site's server. */
export function proxyReplies(
  arrival: Arrival,
  boot: NonNullable<BootFor>,
  site: DhcpSite,
  tell: ThrottledLog,
): Effect[] {
  const { message, local } = arrival
  const { type, serverId } = message
  const own = site.interfaces.map(({ address }) => address)
  // A BIOS that has chosen our offer may ask for it on port 67 rather than 4011.
  const isMeant = type === 'request' && serverId !== undefined && own.includes(serverId)
  if (type !== 'discover' && !isMeant) return []
  const servers = own.filter((address) => (isMeant ? serverId : (local ?? address)) === address)
  // The relay answers for one network: one offer is enough.
  const through = message.packet.giaddr === 0 ? servers : servers.slice(0, 1)
  return through.map((server) => {
    tell.count('boot_offers')
    return makeReply(arrival, { type: isMeant ? 'ack' : 'offer', server, boot: boot(server), isFull: false })
  })
}

/** Answers on port 4011, in both modes: the boot file once more, for firmware that asks there (EDK2, some BIOSes). */
export function bootServerReplies(
  arrival: Arrival,
  boot: NonNullable<BootFor>,
  site: DhcpSite,
  tell: ThrottledLog,
): Effect[] {
  const { type, packet } = arrival.message
  if (type !== 'request' && type !== 'inform' && type !== 'discover') return []
  const server = arrival.local ?? site.interfaces[0]?.address
  if (server === undefined) return []
  tell.count('boot_replies')
  const isFull = site.mode === 'full'
  const answer = type === 'discover' ? 'offer' : 'ack'
  return [makeReply(arrival, { type: answer, server, ciaddr: packet.ciaddr, boot: boot(server), isFull })]
}
