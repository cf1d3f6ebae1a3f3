/**
 * The tickets of boot scripts that nobody has redeemed yet (docs/tickets.md). Anybody can ask for scripts under invented MAC
 * addresses, so they are bounded, of each address and in all. Time and randomness are passed in.
 */
import { createHash } from 'node:crypto'
import { TICKETS_MAX, TICKETS_OF_ADDRESS_MAX } from '../../src/limits.js'
import { addressOwner } from '../../src/net.js'
import type { Ticket, TicketChange } from '../../src/tickets.js'

/** Kernel and stage 1 may take five minutes each where the queue has to wait for slow links; then what stage 1 gets. */
const untilStage1Ms = 20 * 60_000
/** A kernel starts, stage 1 brings up its network and tries for ten minutes to reach the server. */
const afterStage1Ms = 10 * 60_000
/** Whoever comes too late is told so for this long after. */
const rememberedMs = 60 * 60_000

/** How many there may be. */
export interface TicketLimits {
  readonly max: number
  readonly ofAddressMax: number
}

/** What the tickets are made with. */
export interface TicketsOptions {
  /** 16 random bytes. */
  readonly random: () => Uint8Array
  /** Told of each change. */
  readonly changed: (change: TicketChange) => void
  readonly limits?: TicketLimits
}

/** What a ticket is remembered by. */
export function ticketSha256(ticket: string): string {
  return createHash('sha256').update(ticket).digest('hex')
}

/** See the module. */
export class Tickets {
  readonly #options: TicketsOptions
  readonly #limits: TicketLimits
  /** Oldest first. */
  readonly #tickets = new Map<string, Ticket>()
  /** SHA-256 of those of each address, oldest first. */
  readonly #ofOwner = new Map<string, Set<string>>()
  /** The one of each machine at each address. */
  readonly #ofMachine = new Map<string, string>()

  constructor(options: TicketsOptions) {
    this.#options = options
    this.#limits = options.limits ?? { max: TICKETS_MAX, ofAddressMax: TICKETS_OF_ADDRESS_MAX }
  }

  /** Those of before a restart. */
  restore(stored: readonly Ticket[], nowMs: number): void {
    for (const ticket of [...stored].sort((a, b) => a.issuedMs - b.issuedMs)) this.#add(ticket)
    this.#forgetExpired(nowMs)
  }

  /** A new one for a machine that may boot, in place of the last that it was given at this address: 32 hex digits. */
  issue(
    machine: { readonly mac: string; readonly node: string; readonly address: string },
    nowMs: number,
  ): string {
    const { mac, node, address } = machine
    this.#forgetExpired(nowMs)
    this.remove(this.#ofMachine.get(machineKey(mac, address)))
    this.#makeRoom(addressOwner(address))
    const secret = Buffer.from(this.#options.random()).toString('hex')
    const sha256 = ticketSha256(secret)
    this.#put({ sha256, mac, node, address, issuedMs: nowMs, expiresMs: nowMs + untilStage1Ms })
    return secret
  }

  /** The machine has stage 1: from now on it has ten minutes. */
  stage1Left(mac: string, address: string, nowMs: number): void {
    const ticket = this.ofMachine(mac, address)
    if (ticket !== undefined) this.#put({ ...ticket, expiresMs: nowMs + afterStage1Ms })
  }

  get(sha256: string): Ticket | undefined {
    return this.#tickets.get(sha256)
  }

  /** The one that a machine was given last at this address. */
  ofMachine(mac: string, address: string): Ticket | undefined {
    return this.#tickets.get(this.#ofMachine.get(machineKey(mac, address)) ?? '')
  }

  /** Forgets one, if there is one of that name. */
  remove(sha256: string | undefined): void {
    const ticket = sha256 === undefined ? undefined : this.#tickets.get(sha256)
    if (sha256 === undefined || ticket === undefined) return
    const { mac, address } = ticket
    this.#tickets.delete(sha256)
    const machine = machineKey(mac, address)
    if (this.#ofMachine.get(machine) === sha256) this.#ofMachine.delete(machine)
    const owner = addressOwner(address)
    const others = this.#ofOwner.get(owner)
    others?.delete(sha256)
    if (others?.size === 0) this.#ofOwner.delete(owner)
    this.#options.changed({ sha256 })
  }

  /** Takes a change over, and tells it. */
  #put(ticket: Ticket): void {
    this.#add(ticket)
    this.#options.changed({ sha256: ticket.sha256, ticket })
  }

  #add(ticket: Ticket): void {
    const { sha256, mac, address } = ticket
    this.#tickets.set(sha256, ticket)
    this.#ofMachine.set(machineKey(mac, address), sha256)
    const owner = addressOwner(address)
    const others = this.#ofOwner.get(owner)
    if (others === undefined) this.#ofOwner.set(owner, new Set([sha256]))
    else others.add(sha256)
  }

  /** The oldest go, as far as they are over; one that got its stage 1 late keeps those behind it for as long. */
  #forgetExpired(nowMs: number): void {
    for (const { sha256, expiresMs } of this.#tickets.values()) {
      if (nowMs < expiresMs + rememberedMs) return
      this.remove(sha256)
    }
  }

  /** The oldest goes: of this address where it has all that one may have, else of the one that has most. */
  #makeRoom(owner: string): void {
    const own = this.#ofOwner.get(owner)
    if (own !== undefined && own.size >= this.#limits.ofAddressMax) {
      this.remove(first(own))
    } else if (this.#tickets.size >= this.#limits.max) {
      let most: ReadonlySet<string> = own ?? new Set()
      for (const some of this.#ofOwner.values()) if (some.size > most.size) most = some
      this.remove(first(most))
    }
  }
}

function machineKey(mac: string, address: string): string {
  return `${mac} ${address}`
}

function first(values: Iterable<string>): string | undefined {
  for (const value of values) return value
  return undefined
}
