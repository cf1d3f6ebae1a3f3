/**
 * DHCP's sockets and timers; decides nothing (decide.ts does). Broadcasts come in at a socket of each interface, so that
 * their interface is known and those of other interfaces are not received. Unicasts come in, and replies leave, by
 * sockets bound to the interface's own address: that is how the kernel knows where a broadcast to 255.255.255.255 goes.
 */

import type { RemoteInfo, Socket } from 'node:dgram'
import type { Lease, LeaseChange, RelayPort } from '../../../src/dhcp-lease.js'
import { formatIpv4, parseIpv4 } from '../../../src/ipv4.js'
import type { Fact } from '../../../src/timeline.js'
import { type DeviceSocket, openDeviceSocket } from '../device-socket.js'
import type { DhcpOptions } from '../messages.js'
import type { NetbootLog, NetbootService } from '../service.js'
import { openUdp, type UdpOptions } from '../udp.js'
import { ArpProbe } from './arp.js'
import { DhcpMachine } from './decide.js'
import type { Effect } from './effect.js'
import { encodePacket } from './packet.js'

const dhcpPort = 67
const bootPort = 4011

/** Lease changes of this time are kept in one transaction. */
const batchMs = 100

/** The sockets of one of our addresses. */
interface Own {
  readonly dhcp: Socket
  readonly boot: Socket
  readonly probe: Socket
}

/** Takes what must be remembered. */
export interface DhcpOwner {
  /** Leases to store. */
  keep(changes: LeaseChange[]): void
  /** A relay says where a machine is. */
  seen(mac: string, relayPort: RelayPort): void
  /** Another DHCP server gives addresses here. */
  otherServer(address: number): void
  /** For the timeline. */
  fact(fact: Fact): void
}

/** The DHCP server. */
export class DhcpService implements NetbootService {
  readonly #options: DhcpOptions
  readonly #log: NetbootLog
  readonly #owner: DhcpOwner
  readonly #machine: DhcpMachine
  readonly #sockets: Socket[] = []
  readonly #own = new Map<number, Own>()
  readonly #devices: DeviceSocket[] = []
  readonly #probe: ArpProbe
  readonly #changed = new Map<number, Lease | undefined>()
  #batch: NodeJS.Timeout | undefined
  #sendErrors = 0
  #failed = 0

  constructor(options: DhcpOptions, log: NetbootLog, owner: DhcpOwner) {
    this.#options = options
    this.#log = log
    this.#owner = owner
    this.#machine = new DhcpMachine(options.site, options.leases)
    this.#probe = new ArpProbe((address, use) =>
      this.#try(() => this.#machine.probed(address, use, Date.now())),
    )
  }

  async bind(): Promise<void> {
    try {
      await this.#open()
    } catch (error) {
      for (const socket of this.#sockets.splice(0)) socket.close()
      this.#devices.length = 0
      this.#own.clear()
      throw error
    }
  }

  async #open(): Promise<void> {
    const { interfaces } = this.#options.site
    for (const name of new Set(interfaces.map((one) => one.name))) {
      const device = await openDeviceSocket(deviceOf(name), dhcpPort)
      this.#devices.push(device)
      this.#watch(device.socket)
      this.#listen(device.socket, 'dhcp', name, undefined)
    }
    // Only our own sockets may share the port with them: another DHCP server on this machine would get our unicasts, or we its.
    for (const { share } of this.#devices) share(true)
    for (const { name, address } of interfaces) {
      if (this.#own.has(address)) continue
      const at = formatIpv4(address)
      const dhcp = await this.#socket({ address: at, port: dhcpPort, isShared: true })
      const boot = await this.#socket({ address: at, port: bootPort })
      const probe = await this.#socket({ address: at, port: 0 })
      this.#own.set(address, { dhcp, boot, probe })
      this.#listen(dhcp, 'dhcp', name, address)
      this.#listen(boot, 'boot', name, address)
    }
    for (const { share } of this.#devices) share(false)
  }

  /** Whether an interface was replaced after the ports were opened on it. */
  isStale(): boolean {
    return this.#devices.some((device) => device.isReplaced())
  }

  retire(): void {
    this.#probe.stop()
    for (const socket of this.#sockets.splice(0)) socket.close()
    this.#own.clear()
    clearTimeout(this.#batch)
    this.#tellChanges()
  }

  /** Never: a client whose request is lost repeats it. */
  isBusy(): boolean {
    return false
  }

  stats(): Record<string, number> {
    const own = { send_errors: this.#sendErrors, failed: this.#failed }
    return { ...this.#machine.stats(Date.now()), ...this.#probe.stats(), ...own }
  }

  async #socket(options: UdpOptions): Promise<Socket> {
    const socket = await openUdp(options)
    this.#watch(socket)
    return socket
  }

  #watch(socket: Socket): void {
    this.#sockets.push(socket)
    socket.on('error', ({ message }) => {
      this.#log('error', 'dhcp.socket-failed', { code: 'NETBOOT_FAILED' }, `A DHCP socket failed: ${message}`)
    })
  }

  #listen(socket: Socket, port: 'dhcp' | 'boot', name: string, local: number | undefined): void {
    socket.on('message', (bytes: Buffer, from: RemoteInfo) => {
      const address = parseIpv4(from.address) ?? 0
      const datagram = { bytes, port, interface: name, local, from: { address, port: from.port } }
      this.#try(() => this.#machine.receive(datagram, Date.now()))
    })
  }

  /** A mistake of ours in one answer is no reason not to give the others. */
  #try(decide: () => readonly Effect[]): void {
    try {
      this.#do(decide())
    } catch (error) {
      this.#failed++
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#log('error', 'dhcp.failed', { code: 'INTERNAL' }, `A DHCP message was not answered: ${reason}`)
    }
  }

  #do(effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'send':
          this.#send(effect)
          break
        case 'probe': {
          const socket = this.#own.get(effect.via)?.probe
          if (socket !== undefined) this.#probe.ask(effect.address, socket, effect.isThorough)
          break
        }
        case 'lease':
          this.#change(effect.lease.address, effect.lease)
          break
        case 'forget':
          this.#change(effect.address, undefined)
          break
        case 'other-server':
          this.#owner.otherServer(effect.address)
          break
        case 'seen':
          this.#owner.seen(effect.mac, effect.relayPort)
          break
        case 'fact':
          this.#owner.fact(effect.fact)
          break
        case 'tell':
          this.#log(effect.level, effect.event, effect.facts, effect.text)
      }
    }
  }

  #send({ packet, port, via, to }: Extract<Effect, { kind: 'send' }>): void {
    this.#own.get(via)?.[port].send(encodePacket(packet), to.port, formatIpv4(to.address), (error) => {
      if (error === null) return
      this.#sendErrors++
      const facts = { from: formatIpv4(via), to: formatIpv4(to.address) }
      this.#log('debug', 'dhcp.not-sent', facts, `A DHCP reply could not be sent: ${error.message}`)
    })
  }

  /** The reply does not wait for the disk: a lease that a crash loses is taken over when its machine asks again. */
  #change(address: number, lease: Lease | undefined): void {
    this.#changed.set(address, lease)
    this.#batch ??= setTimeout(() => this.#tellChanges(), batchMs)
  }

  #tellChanges(): void {
    this.#batch = undefined
    const changes = [...this.#changed].map(([changed, now]) => ({ address: changed, lease: now }))
    this.#changed.clear()
    if (changes.length > 0) this.#owner.keep(changes)
  }
}

/** An address with a label (`eth0:1`) is listed under that. */
function deviceOf(name: string): string {
  return name.split(':', 1)[0] ?? name
}
