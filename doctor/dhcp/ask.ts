/**
 * Asks the LAN for addresses as several clients at once, and takes none (no REQUEST follows a DISCOVER): servers forget an
 * offer after a while. Port 68 is shared with the machine's own DHCP client, which gets the same broadcasts.
 */

import { randomBytes } from 'node:crypto'
import type { RemoteInfo, Socket } from 'node:dgram'
import { setTimeout } from 'node:timers/promises'
import { encodePacket } from '../../server/netboot/dhcp/packet.js'
import type { DhcpInterface } from '../../server/netboot/dhcp-site.js'
import { openUdp } from '../../server/netboot/udp.js'
import { formatIpv4 } from '../../src/ipv4.js'
import { type ClientKind, clientKinds, makeQuestion } from './kinds.js'
import { type Offer, readOffer } from './offer.js'

const clientPort = 68
const serverPort = 67
const bootPort = 4011
const everybody = '255.255.255.255'
/** A hostile LAN could send answers without end. */
const offersMax = 256
/** A server that looks by ping whether its address is free (dnsmasq: 3 s) answers the second time at once. */
const repeatAt = 0.55

/** What came back. */
export interface Answers {
  readonly offers: readonly Offer[]
  /** Answers of the boot server at port 4011 of our own addresses. */
  readonly bootAnswers: readonly Offer[]
  /** Interfaces that questions could not be sent on, and why. */
  readonly failed: Readonly<Record<string, string>>
}

interface Question {
  readonly kind: ClientKind
  readonly interface: string
  readonly isBoot: boolean
  readonly send: () => void
}

/**
 * Asks on all interfaces and listens for so long.
 *
 * @throws BootswarmError NETBOOT_NOT_ALLOWED, ADDRESS_IN_USE
 */
export async function askLan(interfaces: readonly DhcpInterface[], timeoutMs: number): Promise<Answers> {
  const sockets: Socket[] = []
  const questions = new Map<number, Question>()
  const found = new Map<string, Offer>()
  const bootFound = new Map<string, Offer>()
  const failed: Record<string, string> = {}
  const listen = (socket: Socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('message', (bytes: Buffer, { address }: RemoteInfo) => {
      const offer = readOffer(bytes, address, questions)
      if (offer === undefined) return
      const into = isBootAnswer(bytes, questions) ? bootFound : found
      if (into.size < offersMax)
        into.set(`${offer.interface} ${offer.kind} ${offer.server} ${address}`, offer)
    })
    return socket
  }
  try {
    listen(await openUdp({ address: '0.0.0.0', port: clientPort, isShared: true }))
    for (const { name, address } of interfaces) {
      const at = formatIpv4(address)
      const socket = listen(await openUdp({ address: at, port: clientPort, isShared: true }))
      const mac = localMac()
      const ask = (kind: ClientKind, isBoot: boolean) => {
        const xid = randomBytes(4).readUInt32BE()
        const to = isBoot ? { port: bootPort, address: at } : { port: serverPort, address: everybody }
        const packet = makeQuestion(kind, isBoot ? 'request' : 'discover', {
          xid,
          mac,
          ...(isBoot ? { ciaddr: address } : {}),
        })
        const send = () =>
          socket.send(encodePacket(packet), to.port, to.address, (error) => {
            if (error !== null && !isBoot) failed[name] = error.message
          })
        questions.set(xid, { kind, interface: name, isBoot, send })
      }
      for (const kind of clientKinds) ask(kind, false)
      ask('uefi-x64', true)
    }
    for (const waitMs of [timeoutMs * repeatAt, timeoutMs * (1 - repeatAt)]) {
      for (const { send } of questions.values()) send()
      await setTimeout(waitMs)
    }
    return { offers: [...found.values()], bootAnswers: [...bootFound.values()], failed }
  } finally {
    for (const socket of sockets) socket.close()
  }
}

/** An address that no manufacturer gave away: locally administered, of one machine. */
function localMac(): Buffer {
  const mac = randomBytes(6)
  mac[0] = ((mac[0] ?? 0) & 0xfc) | 0x02
  return mac
}

function isBootAnswer(bytes: Buffer, questions: ReadonlyMap<number, Question>): boolean {
  return questions.get(bytes.readUInt32BE(4))?.isBoot === true
}
