/** A TFTP client for benches and tests (RFC 1350, 2347-2349, 7440), strict where a server could be wrong. */
import { createSocket, type RemoteInfo } from 'node:dgram'

/** What to ask for. */
export interface TftpAsk {
  readonly port: number
  readonly name: string
  readonly options?: Readonly<Record<string, string | number>>
  /** Source address: 127.0.0.0/8 is full of them. */
  readonly from?: string
  readonly to?: string
  readonly requestEveryMs?: number
}

/** What came. */
export interface TftpGot {
  readonly bytes: Buffer
  readonly oack: ReadonlyMap<string, string>
  /** Datagrams received and sent. */
  readonly received: number
  readonly sent: number
}

/** A request packet. */
export function readRequest(
  name: string,
  options: Readonly<Record<string, string | number>> = {},
  mode = 'octet',
): Buffer {
  const words = [name, mode, ...Object.entries(options).flat()]
  return Buffer.concat([
    Buffer.from([0, 1]),
    Buffer.from(words.map((word) => `${word}\0`).join(''), 'latin1'),
  ])
}

export function ackPacket(block: number): Buffer {
  return Buffer.from([0, 4, (block >> 8) & 0xff, block & 0xff])
}

/** Fetches a file; rejects with `error CODE TEXT` when the server says so. */
export function tftpGet(ask: TftpAsk): Promise<TftpGot> {
  const { port, name, options = {}, from = '127.0.0.1', to = '127.0.0.1' } = ask
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    const parts: Buffer[] = []
    let oack = new Map<string, string>()
    let received = 0
    let sent = 0
    let server: number | undefined
    let blockBytes = 512
    let windowBlocks = 1
    let last = 0
    let sinceAck = 0
    let toldGap = -1
    const request = () => {
      sent += 1
      socket.send(readRequest(name, options), port, to)
    }
    const timer = setInterval(() => {
      if (server === undefined) request()
    }, ask.requestEveryMs ?? 1000)
    const end = (error?: Error) => {
      clearInterval(timer)
      socket.close()
      if (error === undefined) resolve({ bytes: Buffer.concat(parts), oack, received, sent })
      else reject(error)
    }
    const ack = (sentIt: () => void = () => {}) => {
      sent += 1
      sinceAck = 0
      socket.send(ackPacket(last), server ?? 0, to, sentIt)
    }
    socket.on('error', end)
    socket.on('message', (packet: Buffer, sender: RemoteInfo) => {
      received += 1
      server ??= sender.port
      if (sender.port !== server) return
      const opcode = packet.readUInt16BE(0)
      if (opcode === 5) {
        end(new Error(`error ${packet.readUInt16BE(2)} ${packet.toString('latin1', 4, packet.length - 1)}`))
      } else if (opcode === 6) {
        const words = packet.toString('latin1', 2).split('\0')
        oack = new Map(
          words.flatMap((word, index) =>
            index % 2 === 0 && word !== '' ? [[word, words[index + 1] ?? '']] : [],
          ),
        )
        blockBytes = Number(oack.get('blksize') ?? 512)
        windowBlocks = Number(oack.get('windowsize') ?? 1)
        if (last === 0) ack()
      } else if (opcode === 3) {
        const block = packet.readUInt16BE(2)
        if (block === ((last + 1) & 0xffff)) {
          last += 1
          toldGap = -1
          sinceAck += 1
          parts.push(packet.subarray(4))
          const isLast = packet.length - 4 < blockBytes
          if (isLast) ack(() => end())
          else if (sinceAck === windowBlocks) ack()
        } else if (block === (last & 0xffff)) {
          ack()
        } else if (((block - last) & 0xffff) <= windowBlocks && toldGap !== last && sinceAck > 0) {
          // RFC 7440: what is missing is told once.
          toldGap = last
          ack()
        }
      }
    })
    socket.bind(0, from, request)
  })
}
