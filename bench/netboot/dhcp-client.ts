/** A firmware's side of DHCP (RFC 2131): its messages, and one that asks until it has its address. */
import { createSocket } from 'node:dgram'
import { messageTypes, optionCodes } from '../../server/netboot/dhcp/message.js'
import { type DhcpPacket, encodePacket, parsePacket } from '../../server/netboot/dhcp/packet.js'

/** Of server and client. */
export const dhcpPorts = { server: 67, client: 68 } as const
export const everybody = '255.255.255.255'

/** As EDK2 and iPXE wait at least before they ask again. */
const againMs = 1000
/** Questions for one offered address before the client begins anew. */
const requestsMax = 4

/** What an OFFER or ACK says. */
export interface DhcpAnswer {
  readonly xid: number
  readonly kind: 'offer' | 'ack' | 'nak'
  readonly address: number
  readonly server: number
  /** The boot program's name at the TFTP server. */
  readonly file: string
}

/** A DISCOVER, or with `offer` the REQUEST for what was offered, of a UEFI machine. */
export function dhcpQuestion(mac: string, xid: number, offer?: DhcpAnswer): Buffer {
  const four = (address: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(address)
    return bytes
  }
  const type = offer === undefined ? messageTypes.discover : messageTypes.request
  const none = { ciaddr: 0, yiaddr: 0, siaddr: 0, giaddr: 0, sname: '', file: '' }
  const packet: DhcpPacket = {
    ...{ op: 1, htype: 1, hops: 0, xid, secs: 0, isBroadcast: true, ...none },
    chaddr: Buffer.from(mac.replaceAll(':', ''), 'hex'),
    options: new Map<number, Buffer>([
      [optionCodes.messageType, Buffer.from([type])],
      ...(offer === undefined
        ? []
        : [
            [optionCodes.requestedAddress, four(offer.address)] as const,
            [optionCodes.serverId, four(offer.server)] as const,
          ]),
      [optionCodes.vendorClass, Buffer.from('PXEClient:Arch:00007:UNDI:003016')],
      [optionCodes.architecture, Buffer.from([0, 7])],
    ]),
  }
  return encodePacket(packet)
}

/** Reads a server's answer; undefined for anything else. */
export function readDhcpAnswer(bytes: Uint8Array): DhcpAnswer | undefined {
  const packet = parsePacket(bytes)
  if ('malformed' in packet || packet.op !== 2) return undefined
  const type = packet.options.get(optionCodes.messageType)?.[0]
  const kind = (['offer', 'ack', 'nak'] as const).find((name) => messageTypes[name] === type)
  const server = packet.options.get(optionCodes.serverId)
  if (kind === undefined || server?.length !== 4) return undefined
  return { xid: packet.xid, kind, address: packet.yiaddr, server: server.readUInt32BE(0), file: packet.file }
}

/** Asks until it has a lease. `from` is an address of the card: it says which one broadcasts leave by. */
export function obtainLease(mac: string, from: string, random: () => number): Promise<DhcpAnswer> {
  return new Promise((resolve, reject) => {
    const open = () => createSocket({ type: 'udp4', reuseAddr: true })
    const [receiver, sender] = [open(), open()]
    const xid = Math.floor(random() * 2 ** 32)
    let offer: DhcpAnswer | undefined
    let requests = 0
    const ask = () => {
      if (offer !== undefined && ++requests > requestsMax) offer = undefined
      sender.send(dhcpQuestion(mac, xid, offer), dhcpPorts.server, everybody)
    }
    let timer: NodeJS.Timeout | undefined
    const end = () => {
      clearInterval(timer)
      receiver.close()
      sender.close()
    }
    const hear = (bytes: Buffer) => {
      const answer = readDhcpAnswer(bytes)
      if (answer?.xid !== xid) return
      if (answer.kind === 'offer' && offer === undefined) {
        offer = answer
        requests = 0
        ask()
      } else if (answer.kind === 'nak') offer = undefined
      else if (answer.kind === 'ack' && answer.address === offer?.address) {
        end()
        resolve(answer)
      }
    }
    for (const socket of [receiver, sender]) socket.on('message', hear).on('error', reject)
    receiver.bind(dhcpPorts.client, '0.0.0.0', () => {
      sender.bind(dhcpPorts.client, from, () => {
        sender.setBroadcast(true)
        timer = setInterval(ask, againMs)
        ask()
      })
    })
  })
}
