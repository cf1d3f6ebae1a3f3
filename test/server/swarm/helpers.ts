/** What the tests of the swarm services share: a file with its torrent, a seeder, and a peer by hand. */

import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createSeeder, type SeedTorrent } from '../../../server/swarm/seeder.js'
import { flatTree, type RackTree } from '../../../src/rack-tree.js'

/** A deterministic file of `sizeBytes`, its content, and its torrent (with the tracker, if any). */
export async function sampleTorrent(
  t: TestContext,
  options: { sizeBytes: number; pieceLength: number; announce?: string; name?: string; seed?: number },
): Promise<SeedTorrent & { content: Buffer; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'bootswarm-swarm-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const content = sampleBytes(options.sizeBytes, options.seed ?? 1)
  // Named by its digest, as the store does: not by the torrent's name.
  const path = join(directory, createHash('sha256').update(content).digest('hex'))
  await writeFile(path, content)
  const pieces: Buffer[] = []
  for (let at = 0; at < content.length; at += options.pieceLength) {
    pieces.push(
      createHash('sha1')
        .update(content.subarray(at, at + options.pieceLength))
        .digest(),
    )
  }
  const name = options.name ?? 'rootfs.tar.xz'
  const info = Buffer.concat([
    Buffer.from(
      `d6:lengthi${content.length}e4:name${name.length}:${name}12:piece lengthi${options.pieceLength}e6:pieces${pieces.length * 20}:`,
    ),
    ...pieces,
    Buffer.from('e'),
  ])
  const announce =
    options.announce === undefined ? '' : `8:announce${options.announce.length}:${options.announce}`
  const torrent = Buffer.concat([Buffer.from(`d${announce}4:info`), info, Buffer.from('e')])
  const infohash = createHash('sha1').update(info).digest('hex')
  return {
    infohash,
    torrent,
    path,
    sizeBytes: content.length,
    pieceLength: options.pieceLength,
    content,
    directory,
  }
}

/** Bytes that look random and follow from the seed (a 32-bit xorshift). */
export function sampleBytes(sizeBytes: number, seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(sizeBytes / 4))
  let x = seed | 1
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    words[i] = x
  }
  return Buffer.from(words.buffer, 0, sizeBytes)
}

/** A running seeder that ends with the test. */
export async function runSeeder(
  t: TestContext,
  rackOf: (address: string) => string = () => 'rack',
  rackTree: () => RackTree = () => flatTree,
): Promise<{ seeder: ReturnType<typeof createSeeder>; port: number }> {
  const seeder = createSeeder({ port: 0, rackOf, rackTree })
  t.after(() => seeder.stop())
  const { port } = await seeder.start()
  return { seeder, port }
}

/** Message ids of BEP 3, 6 and 10. */
export const id = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  notInterested: 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  haveAll: 14,
  haveNone: 15,
  reject: 16,
  allowedFast: 17,
  extended: 20,
} as const

/** One message: its id and the rest. */
export interface Message {
  id: number
  body: Buffer
}

/** A peer made by hand: sends whatever it is told, right or wrong, and waits for messages. */
export class RawPeer {
  readonly socket: Socket
  readonly received: Message[] = []
  closed = false
  #buffer = Buffer.alloc(0)
  #handshaken = false
  #wake: (() => void)[] = []

  constructor(port: number, host = '127.0.0.1', localAddress?: string) {
    this.socket = connect({ port, host, ...(localAddress === undefined ? {} : { localAddress }) })
    // Else Nagle waits for the delayed acknowledgement, 40 ms for each request.
    this.socket.setNoDelay(true)
    this.socket.on('data', (data) => this.#data(data))
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.closed = true
      this.#notify()
    })
  }

  /** The handshake; with `bs`, the one of an agent. */
  greet(infohash: string, options: { agent?: boolean; fast?: boolean; haveNone?: boolean } = {}): void {
    const reserved = Buffer.alloc(8)
    reserved[5] = 0x10
    if (options.fast !== false) reserved[7] = 0x04
    const peerId = options.agent === true ? '-BW0001-' : '-XX0001-'
    this.socket.write(
      Buffer.concat([
        Buffer.from('\x13BitTorrent protocol', 'latin1'),
        reserved,
        Buffer.from(infohash, 'hex'),
        Buffer.from(peerId),
        randomBytes(12),
      ]),
    )
    if (options.haveNone !== false && options.fast !== false) this.send(id.haveNone)
    const bs = options.agent === true ? '2:bsi1e' : ''
    this.send(
      id.extended,
      Buffer.concat([Buffer.from([0]), Buffer.from(`d${bs}1:md11:ut_metadatai3ee1:v5:test1e`)]),
    )
  }

  send(messageId: number, body: Buffer = Buffer.alloc(0)): void {
    const head = Buffer.alloc(5)
    head.writeUInt32BE(body.length + 1)
    head[4] = messageId
    this.socket.write(Buffer.concat([head, body]))
  }

  sendNumbers(messageId: number, ...numbers: number[]): void {
    const body = Buffer.alloc(numbers.length * 4)
    numbers.forEach((number, i) => {
      body.writeUInt32BE(number >>> 0, i * 4)
    })
    this.send(messageId, body)
  }

  /** Requests a whole piece in blocks of 16 KiB. */
  requestPiece(piece: number, bytes: number): void {
    for (let offset = 0; offset < bytes; offset += 16_384) {
      this.sendNumbers(id.request, piece, offset, Math.min(16_384, bytes - offset))
    }
  }

  /** The first message that fits, taken out; undefined when the connection closes first. */
  async take(wanted: (message: Message) => boolean): Promise<Message | undefined> {
    for (;;) {
      const at = this.received.findIndex(wanted)
      if (at >= 0) return this.received.splice(at, 1)[0]
      if (this.closed) return undefined
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  /** Collects the blocks of a piece that was requested. */
  async takePiece(piece: number, bytes: number): Promise<Buffer | undefined> {
    const content = Buffer.alloc(bytes)
    let left = bytes
    while (left > 0) {
      const message = await this.take((m) => m.id === id.piece && m.body.readUInt32BE(0) === piece)
      if (message === undefined) return undefined
      message.body.copy(content, message.body.readUInt32BE(4), 8)
      left -= message.body.length - 8
    }
    return content
  }

  /** Resolves when the other side has closed. */
  async gone(): Promise<void> {
    while (!this.closed) await new Promise<void>((resolve) => this.#wake.push(resolve))
  }

  close(): void {
    this.socket.destroy()
  }

  #data(data: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, data])
    if (!this.#handshaken) {
      if (this.#buffer.length < 68) return
      this.#handshaken = true
      this.#buffer = this.#buffer.subarray(68)
    }
    while (this.#buffer.length >= 4) {
      const length = this.#buffer.readUInt32BE(0)
      if (this.#buffer.length < 4 + length) break
      if (length > 0) {
        this.received.push({ id: this.#buffer[4] ?? 0, body: this.#buffer.subarray(5, 4 + length) })
      }
      this.#buffer = this.#buffer.subarray(4 + length)
    }
    this.#notify()
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = []
    for (const resolve of wake) resolve()
  }
}
