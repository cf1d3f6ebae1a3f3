/** Wake-on-LAN from this machine: the magic packet as a broadcast on networks that it is in. Needs no root. */
import { createSocket } from 'node:dgram'
import { type HostInterface, leadsToNodes } from '../../host/interfaces.js'
import type { NetbootConfig } from '../../src/config-netboot.js'
import { broadcastOf, formatIpv4, inSubnet, ipv4Subnet, parseIpv4 } from '../../src/ipv4.js'
import { magicPacket } from './magic-packet.js'

/** The discard service: whatever listens there ignores it. The usual port of Wake-on-LAN; cards look at the bytes alone. */
const discardPort = 9
/** Nothing confirms a magic packet, and a switch whose port is still coming up drops the first. */
const times = 3

/** A network of this machine. */
export interface WakeNetwork {
  /** This machine's address there. */
  readonly address: string
  /** The address of all that are there. */
  readonly broadcast: string
}

/**
 * The networks on which a node may be: the one that its last address is on, else all that lead to nodes. None: its address is on no
 * network of this machine. Pure.
 */
export function wakeNetworks(
  interfaces: readonly HostInterface[],
  netboot: NetbootConfig,
  nodeAddress: string,
): WakeNetwork[] {
  const wanted = parseIpv4(nodeAddress)
  return interfaces
    .filter((own) => leadsToNodes(own, netboot))
    .flatMap(({ addresses }) => addresses)
    .flatMap(({ address, family, internal, cidr }) => {
      const own = family === 'IPv4' && !internal ? parseIpv4(address) : undefined
      const prefix = Number(cidr?.split('/')[1])
      if (own === undefined || !(prefix < 31)) return []
      const subnet = ipv4Subnet(own, prefix)
      if (wanted !== undefined && !inSubnet(subnet, wanted)) return []
      return [{ address, broadcast: formatIpv4(broadcastOf(subnet)) }]
    })
}

/**
 * Sends the magic packets of these cards on these networks.
 *
 * @throws the system's error where it takes none of them
 */
export async function sendMagicPackets(
  macs: readonly string[],
  networks: readonly WakeNetwork[],
  port = discardPort,
): Promise<void> {
  const sent = await Promise.allSettled(networks.map((network) => sendOn(network, macs, port)))
  const failed = sent.find((one) => one.status === 'rejected')
  if (failed !== undefined && sent.every(({ status }) => status === 'rejected')) throw failed.reason
}

async function sendOn({ address, broadcast }: WakeNetwork, macs: readonly string[], port: number) {
  const socket = createSocket('udp4')
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ address, port: 0 }, resolve)
    })
    socket.setBroadcast(true)
    for (let time = 0; time < times; time += 1)
      for (const mac of macs)
        await new Promise<void>((resolve, reject) => {
          socket.send(magicPacket(mac), port, broadcast, (error) => (error ? reject(error) : resolve()))
        })
  } finally {
    socket.close()
  }
}
