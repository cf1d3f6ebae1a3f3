/**
 * Proxy mode: another DHCP server gives the addresses, we only say what to boot (PXE 2.1, section 2.2).
 * Never answers clients that do not request network boot.
 */

import type { BootFor } from '../boot-choice.js'
import type { DhcpSite } from '../dhcp-site.js'
import type { Arrival } from './arrival.js'
import type { Effect } from './effect.js'
import { makeReply, serverOf } from './reply.js'
import type { ThrottledLog } from './throttled-log.js'

/** Answers on port 67: an offer without an address beside the one of the site's server. */
export function proxyReplies(
  arrival: Arrival,
  boot: NonNullable<BootFor>,
  site: DhcpSite,
  tell: ThrottledLog,
): Effect[] {
  const { type, serverId } = arrival.message
  const server = serverOf(arrival, site)
  // A BIOS that has chosen our offer may ask for it on port 67 rather than 4011.
  const isMeant = type === 'request' && serverId !== undefined && serverId === server
  if (server === undefined || (type !== 'discover' && !isMeant)) {
    tell.drop(type === 'request' ? 'other_server' : 'wrong_type')
    return []
  }
  tell.count('boot_offers')
  return [makeReply(arrival, { type: isMeant ? 'ack' : 'offer', server, boot: boot(server), isFull: false })]
}

/** Answers on port 4011, in both modes: the boot file once more, for firmware that asks there (EDK2, some BIOSes). */
export function bootServerReplies(
  arrival: Arrival,
  boot: NonNullable<BootFor>,
  site: DhcpSite,
  tell: ThrottledLog,
): Effect[] {
  const { type, packet } = arrival.message
  const server = serverOf(arrival, site)
  if (server === undefined || (type !== 'request' && type !== 'inform' && type !== 'discover')) {
    tell.drop('wrong_type')
    return []
  }
  tell.count('boot_replies')
  const isFull = site.mode === 'full'
  const answer = type === 'discover' ? 'offer' : 'ack'
  return [makeReply(arrival, { type: answer, server, ciaddr: packet.ciaddr, boot: boot(server), isFull })]
}
