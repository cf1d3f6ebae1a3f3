/**
 * The TFTP listener: sockets and timers, no decisions. Each transfer has a socket of its own (its TID), connected to
 * its client, so that the kernel keeps strangers' packets away and tells when the client has closed its port.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isShortage } from '../../src/errors.js'
import type { Fact } from '../../src/timeline.js'
import type { NetbootLog } from './service.js'
import { SharedRate } from './shared-rate.js'
import { type TftpFiles, tableName } from './tftp-files.js'
import { negotiate } from './tftp-options.js'
import { errorPacket, parseTftp, type TftpRequest, tftpErrors } from './tftp-packet.js'
import { type TableLimits, TransferTable } from './tftp-table.js'
import { TftpTransfer } from './tftp-transfer.js'
import { openUdp } from './udp.js'

/** Deadlines are looked at this often, milliseconds. */
const tickMs = 50

/** With so many transfers the windows are smaller: all that is in flight is held in memory. */
const crowd = { transfers: 64, windowBlocks: 8 } as const

/**
 * Requests that are read: of a farm of 500 behind one address each machine asks four times within seconds. A transfer that
 * begins costs a tenth of a millisecond: more would leave no time for DHCP and the transfers that run.
 */
const requestRates = {
  each: { addressesMax: 4096, perSecond: 500, burst: 2048 },
  all: { perSecond: 4000, burst: 8192 },
} as const

/**
 * A request without options is answered with the first block, ten times as long, wherever it says that it comes from. The
 * firmware of a farm asks in one burst, and with options; a forger is to gain nothing by us.
 */
const plainRates = {
  each: { addressesMax: 1024, perSecond: 32, burst: 512 },
  all: { perSecond: 256, burst: 2048 },
} as const

/** The system is short of something: told once in a while. */
const shortAgainMs = 60_000

/** Counters since the start. */
export interface TftpStats {
  /** Transfers that run now. */
  transfers: number
  /** Of these, whose client has answered. */
  answered: number
  /** The client has all. */
  completed: number
  /** The client fell silent, closed its port or sent an error, which is usual after it asked for the size only. */
  ended: number
  /** Requests for what is not served. */
  refused: number
  /** Requests that found no room. */
  dropped: number
  /** Packets that are no TFTP. */
  malformed: number
  sent_packets: number
  sent_bytes: number
}

/** What the listener is made of. */
export interface TftpOptions {
  /** IPv4 address to listen on. */
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number
  readonly log: NetbootLog
  /** Told of transfers that have ended, for the timeline. */
  readonly fact: (fact: Fact) => void
  readonly limits?: TableLimits
}

/**
 * Why a transfer is over without its file: the client sent an error (usual after it asked for the size), closed its port, fell
 * silent, never answered or asked for something else; it made room for another one; the system was short; we stopped.
 */
type EndReason =
  | 'error'
  | 'closed'
  | 'silent'
  | 'unanswered'
  | 'asked again'
  | 'displaced'
  | 'shortage'
  | 'stopped'

interface Running {
  readonly address: string
  readonly port: number
  readonly name: string
  /** The packet that asked for it. */
  readonly asked: Buffer
  readonly socket: Socket
  transfer: TftpTransfer | undefined
  startedMs: number
  readonly isConfirmed: boolean
}

/** A TFTP server. Answers nothing before {@link setFiles}. */
export class TftpServer {
  readonly #options: TftpOptions
  readonly #table: TransferTable<Running>
  readonly #stats: TftpStats = {
    transfers: 0,
    answered: 0,
    completed: 0,
    ended: 0,
    refused: 0,
    dropped: 0,
    malformed: 0,
    sent_packets: 0,
    sent_bytes: 0,
  }
  readonly #requests = new SharedRate(requestRates)
  readonly #plain = new SharedRate(plainRates)
  #shortMs = Number.NEGATIVE_INFINITY
  #files: TftpFiles = new Map()
  #socket: Socket | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: TftpOptions) {
    this.#options = options
    this.#table = new TransferTable(options.limits)
  }

  /** Opens the port. @throws BootswarmError as {@link openUdp} */
  async listen(): Promise<number> {
    const { host: address, port } = this.#options
    const socket = await openUdp({ address, port })
    socket.on('error', ({ message }) => {
      const text = `The TFTP socket failed: ${message}`
      this.#options.log('error', 'tftp.socket-failed', { code: 'NETBOOT_FAILED' }, text)
    })
    socket.on('message', (bytes, from) => this.#onRequest(bytes, from))
    this.#socket = socket
    return socket.address().port
  }

  /** Serves exactly these from now on; running transfers go on with what they began. */
  setFiles(files: TftpFiles): void {
    this.#files = files
  }

  stats(): TftpStats {
    const answered = [...this.#table.values()].filter(({ isConfirmed }) => isConfirmed).length
    return { ...this.#stats, transfers: this.#table.size, answered }
  }

  /** Closes the port; transfers that run go on. */
  stopListening(): void {
    this.#socket?.close()
    this.#socket = undefined
  }

  /** Closes all sockets. */
  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    for (const running of [...this.#table.values()]) this.#end(running, 'stopped')
    this.stopListening()
  }

  #onRequest(bytes: Buffer, from: RemoteInfo): void {
    // Nobody can be answered at port 0.
    const packet = from.port === 0 ? undefined : parseTftp(bytes)
    if (packet === undefined) {
      this.#stats.malformed += 1
      return
    }
    if (packet.kind !== 'write' && packet.kind !== 'read') return
    if (!this.#requests.take(from.address, this.#options.nowMs())) {
      this.#stats.dropped += 1
      return
    }
    if (packet.kind === 'write') this.#refuse(from, tftpErrors.accessViolation, 'read only', '')
    else this.#onRead(packet, bytes, from)
  }

  #onRead(request: TftpRequest, asked: Buffer, from: RemoteInfo): void {
    const name = tableName(request.name)
    if (!this.#files.has(name)) {
      this.#refuse(from, tftpErrors.notFound, 'no such file', request.name)
      return
    }
    if (request.mode !== 'octet') {
      this.#refuse(from, tftpErrors.illegalOperation, 'ask in octet (binary) mode', request.name)
      return
    }
    const { address } = from
    // One that may be forged is not worth an answer that is longer.
    if (request.options.size === 0 && !this.#plain.take(address, this.#options.nowMs())) {
      this.#stats.dropped += 1
      return
    }
    const same = this.#table.get(address, from.port)
    if (same !== undefined) {
      // Other options or another file are another request: what the client asked before, it no longer wants.
      if (same.asked.equals(asked) && !isAbandoned(same)) {
        this.#startAgain(same)
        return
      }
      this.#end(same, 'asked again')
    }
    const nowMs = this.#options.nowMs()
    for (;;) {
      const room = this.#table.roomFor(address, nowMs)
      if (room === undefined) break
      if (room === 'full') {
        this.#stats.dropped += 1
        return
      }
      this.#supersede(room)
    }
    this.#begin(request, name, asked, from)
  }

  /**
   * The answer was lost, or is still under way: the same once more, not a second transfer. Once it was acknowledged, the
   * request is a copy that came late, and no reason to disturb the transfer (RFC 1350, 4).
   */
  #startAgain(running: Running): void {
    if (running.transfer?.isConfirmed === false)
      this.#send(running, running.transfer.startAgain(this.#options.nowMs()))
  }

  #begin(request: TftpRequest, name: string, asked: Buffer, from: RemoteInfo): void {
    const socket = createSocket('udp4')
    const running: Running = {
      address: from.address,
      port: from.port,
      name,
      asked,
      socket,
      transfer: undefined,
      startedMs: this.#options.nowMs(),
      get isConfirmed() {
        return this.transfer?.isConfirmed ?? false
      },
    }
    this.#table.add(running)
    // Also ECONNREFUSED: the client has closed its port.
    socket.on('error', (error) => this.#failed(running, error))
    socket.on('message', (bytes) => this.#onMessage(running, bytes))
    socket.once('connect', () => this.#connected(running, request))
    socket.bind({ port: 0, address: this.#options.host }, () => socket.connect(from.port, from.address))
  }

  #connected(running: Running, request: TftpRequest): void {
    const file = this.#files.get(running.name)
    if (file === undefined || this.#table.get(running.address, running.port) !== running) {
      this.#end(running, 'stopped')
      return
    }
    const { address } = running
    const serverAddress = running.socket.address().address
    const bytes = typeof file === 'function' ? file({ address, serverAddress }) : file
    const nowMs = this.#options.nowMs()
    const windowMax = this.#table.size > crowd.transfers ? crowd.windowBlocks : undefined
    running.transfer = new TftpTransfer(bytes, negotiate(request.options, bytes.length, windowMax), nowMs)
    this.#send(running, running.transfer.start(nowMs))
    this.#timer ??= setInterval(() => this.#onTick(), tickMs)
    this.#options.log(
      'debug',
      'tftp.started',
      { address, name: running.name },
      `${address} loads ${running.name}`,
    )
  }

  #onMessage(running: Running, bytes: Buffer): void {
    const packet = parseTftp(bytes)
    const { transfer } = running
    if (packet === undefined) this.#stats.malformed += 1
    if (packet === undefined || transfer === undefined) return
    if (packet.kind === 'ack') this.#send(running, transfer.onAck(packet.block, this.#options.nowMs()))
    else if (packet.kind === 'error') transfer.onError()
    this.#endIfOver(running, 'error')
  }

  #onTick(): void {
    const nowMs = this.#options.nowMs()
    for (const running of [...this.#table.values()]) {
      const { transfer } = running
      if (transfer === undefined || transfer.deadlineMs > nowMs) continue
      this.#send(running, transfer.onTime(nowMs))
      this.#endIfOver(running, running.isConfirmed ? 'silent' : 'unanswered')
    }
    if (this.#table.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #send(running: Running, packets: readonly Buffer[]): void {
    for (const packet of packets) {
      this.#stats.sent_packets += 1
      this.#stats.sent_bytes += packet.length
      // A full socket buffer is a lost packet, which the timeout mends.
      running.socket.send(packet, () => {})
    }
  }

  /** @param why why it is over if it is, and not done */
  #endIfOver(running: Running, why: EndReason): void {
    const { address, name, transfer } = running
    if (transfer === undefined || transfer.state === 'running') return
    if (transfer.state === 'done') {
      this.#stats.completed += 1
      this.#options.log('info', 'tftp.completed', { address, name }, `${address} has loaded ${name}`)
    }
    this.#end(running, why)
  }

  #end(running: Running, why: EndReason): void {
    if (this.#table.get(running.address, running.port) === running) {
      this.#table.remove(running)
      if (running.transfer?.state !== 'done') this.#stats.ended += 1
      this.#tellEnd(running, why)
    }
    running.transfer?.onError()
    try {
      running.socket.close()
    } catch {
      // Closed before.
    }
  }

  #tellEnd({ address, name, transfer, startedMs }: Running, why: EndReason): void {
    if (transfer === undefined || why === 'stopped') return
    const { arrivedBytes, sizeBytes, state } = transfer
    const seconds = Math.round(this.#options.nowMs() - startedMs) / 1000
    const bytes = { bytes: arrivedBytes, of_bytes: sizeBytes, seconds }
    this.#options.fact(
      state === 'done'
        ? { source: 'tftp', type: 'program.sent', address, data: { file: name, bytes: sizeBytes, seconds } }
        : { source: 'tftp', type: 'program.broken-off', address, data: { file: name, why, ...bytes } },
    )
  }

  #failed(running: Running, error: NodeJS.ErrnoException): void {
    this.#end(running, isShortage(error) ? 'shortage' : 'closed')
    if (!isShortage(error)) return
    this.#stats.dropped += 1
    const nowMs = this.#options.nowMs()
    if (error.code === 'EMFILE' || error.code === 'ENFILE') this.#table.shrink(nowMs)
    if (nowMs - this.#shortMs < shortAgainMs) return
    this.#shortMs = nowMs
    const text = `TFTP cannot serve more than ${this.#table.size} transfers now: ${error.message}`
    this.#options.log('warn', 'tftp.short', { code: 'NETBOOT_FAILED' }, text)
  }

  /** A client that is still there shall not wait for more. */
  #supersede(running: Running): void {
    if (running.isConfirmed) this.#send(running, [errorPacket(0, 'another transfer takes its place')])
    this.#end(running, 'displaced')
  }

  #refuse(from: RemoteInfo, code: number, message: string, name: string): void {
    this.#stats.refused += 1
    const address = from.address
    const printable = JSON.stringify(name.slice(0, 80))
    this.#options.fact({
      source: 'tftp',
      type: 'program.refused',
      address,
      data: { file: name.slice(0, 80), why: message },
    })
    this.#options.log(
      'debug',
      'tftp.refused',
      { address, name: printable },
      `${address}: ${message}: ${printable}`,
    )
    this.#socket?.send(errorPacket(code, message), from.port, from.address, () => {})
  }
}

/** A client that no longer answers and asks anew was switched off and on, and has taken the same port. */
function isAbandoned({ transfer }: Running): boolean {
  return transfer?.isConfirmed === true && transfer.isRepeating
}
