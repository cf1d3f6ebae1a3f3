/** The first message of a TLS 1.3 handshake, to be sent without any of the work that an honest client has. */
import { Duplex } from 'node:stream'
import { connect } from 'node:tls'

/** What Node's own client would send, with its TLS record. */
export function clientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write: (bytes: Buffer, _, written) => {
        resolve(bytes)
        written()
      },
    })
    connect({ socket: wire, rejectUnauthorized: false, minVersion: 'TLSv1.3' }).on('error', () => {})
  })
}

/** Lengths within a ClientHello record (RFC 8446 4.1.2, 5.1). */
const recordLengthAt = 3
const messageLengthAt = 6
const sessionLengthAt = 43
const preSharedKey = 41
const pskModes = 45
const identityBytes = 192
const binderBytes = 32

/** The same with a session ticket that no server has made: it looks for a key before it goes on without. */
export function withForgedTicket(hello: Buffer): Buffer {
  const numbers = (...values: number[]) => {
    const bytes = Buffer.alloc(2 * values.length)
    for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, 2 * index)
    return bytes
  }
  const identity = Buffer.concat([numbers(identityBytes), Buffer.alloc(identityBytes, 0x5a), Buffer.alloc(4)])
  const binder = Buffer.concat([Buffer.from([binderBytes]), Buffer.alloc(binderBytes, 0xa5)])
  const offer = Buffer.concat([numbers(identity.length), identity, numbers(binder.length), binder])
  const modes = hello.includes(numbers(pskModes, 2)) ? [] : [numbers(pskModes, 2), Buffer.from([1, 1])]
  const more = Buffer.concat([...modes, numbers(preSharedKey, offer.length), offer])
  const longer = Buffer.concat([hello, more])
  const suitesAt = sessionLengthAt + 1 + longer.readUInt8(sessionLengthAt)
  const compressionAt = suitesAt + 2 + longer.readUInt16BE(suitesAt)
  const extensionsAt = compressionAt + 1 + longer.readUInt8(compressionAt)
  for (const at of [recordLengthAt, messageLengthAt + 1, extensionsAt]) {
    longer.writeUInt16BE(longer.readUInt16BE(at) + more.length, at)
  }
  return longer
}
