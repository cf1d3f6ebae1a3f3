/**
 * Finds out who uses an address: Linux asks by ARP before it sends a datagram, and shows the answer in /proc/net/arp. Needs
 * no privilege. On other systems all addresses seem free, and only DECLINE reveals conflicts.
 */

import type { Socket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { isShortage } from '../../../src/errors.js'
import { formatIpv4 } from '../../../src/ipv4.js'

/** A machine that is up answers within a few milliseconds; firmware repeats a DISCOVER after a second at the earliest. */
const answerMs = 250
/** Where an address would be taken from somebody: Linux asks a second time after a second (`retrans_time`). */
const thoroughMs = 1_250
/** If the table cannot be read, it is tried again for so long. */
const patienceMs = 1_000
/** Each look reads the whole table, so answers that are due within this time share one. */
const lookEveryMs = 50
/** Reading a long table takes at most a tenth of the time, unless a client would wait more than {@link answerMs} longer. */
const restFactor = 10
const discardPort = 9

/**
 * Linux keeps unanswered addresses in its table for 3 s (`mcast_solicit` questions, `retrans_time` apart), and has room
 * for 1,024 neighbours (`gc_thresh3`): beyond that this machine reaches no new one at all. At most so many addresses
 * are probed in that time, so that half of the room stays; a farm of 500 that is switched on at once stays below.
 */
const keptMs = 3_000
const keptMax = 512

/** Who uses an address: the machine with this Ethernet address, nobody who answers, or whoever was not asked. */
export type AddressUse =
  | { readonly kind: 'used'; readonly by: string }
  | { readonly kind: 'free' }
  | { readonly kind: 'unknown' }

/** Told who uses an address. */
export type ProbeAnswer = (address: number, use: AddressUse) => void

/** Asks for addresses. */
export class ArpProbe {
  readonly #answer: ProbeAnswer
  readonly #read: () => string
  readonly #due = new Map<number, number>()
  /** When the latest were asked for. */
  readonly #asked: number[] = []
  #timer: NodeJS.Timeout | undefined
  #skipped = 0
  #looks = 0

  constructor(answer: ProbeAnswer, read = () => readFileSync('/proc/net/arp', 'utf8')) {
    this.#answer = answer
    this.#read = read
  }

  /** Addresses that were not asked for because there were too many, and looks at the table. */
  stats(): { unprobed: number; arp_looks: number } {
    return { unprobed: this.#skipped, arp_looks: this.#looks }
  }

  /** Asks for an address through a socket of the interface where it must be; thoroughly: twice. */
  ask(address: number, socket: Socket, isThorough = false): void {
    if (this.#due.has(address)) return
    const nowMs = performance.now()
    while (this.#asked.length > 0 && nowMs - (this.#asked[0] ?? 0) > keptMs) this.#asked.shift()
    if (this.#asked.length >= keptMax) {
      this.#skipped++
      this.#answer(address, { kind: 'unknown' })
      return
    }
    this.#asked.push(nowMs)
    this.#due.set(address, nowMs + (isThorough ? thoroughMs : answerMs))
    // An error (no buffer for one more neighbour) leaves the table without an answer.
    socket.send(Buffer.alloc(1), discardPort, formatIpv4(address), () => {})
    this.#timer ??= setTimeout(() => this.#look(), answerMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#due.clear()
  }

  #look(): void {
    const beganMs = performance.now()
    this.#looks++
    const users = this.#users()
    const readMs = performance.now()
    const patientMs = users === undefined ? beganMs - patienceMs : beganMs + 1
    let nextMs = Number.POSITIVE_INFINITY
    for (const [address, dueMs] of this.#due) {
      if (dueMs > patientMs) {
        nextMs = Math.min(nextMs, dueMs)
        continue
      }
      this.#due.delete(address)
      this.#answer(address, users === undefined ? { kind: 'unknown' } : useOf(users.get(formatIpv4(address))))
    }
    this.#timer = undefined
    // An answer may have led to another question.
    if (this.#due.size === 0) return
    const restMs = Math.min(answerMs, Math.max(lookEveryMs, (readMs - beganMs) * restFactor))
    const waitMs = Math.min(answerMs, nextMs - performance.now())
    this.#timer = setTimeout(() => this.#look(), Math.max(waitMs, restMs))
  }

  /**
   * Read synchronously: the kernel makes the text faster than a thread of the pool would start to. Undefined where it
   * cannot be read now, for want of a descriptor.
   */
  #users(): Map<string, string> | undefined {
    try {
      return parseArpTable(this.#read())
    } catch (error) {
      return isShortage(error) ? undefined : new Map()
    }
  }
}

function useOf(user: string | undefined): AddressUse {
  return user === undefined ? { kind: 'free' } : { kind: 'used', by: user }
}

/** Ethernet addresses by IP address, of the complete entries (flag 2). */
export function parseArpTable(text: string): Map<string, string> {
  const users = new Map<string, string>()
  const complete = /^([\d.]+) +0x[\da-f]+ +0x[\da-f]*[2367abef] +([\da-f:]{17}) /gim
  for (const [, address = '', mac = ''] of text.matchAll(complete)) {
    if (mac !== '00:00:00:00:00:00') users.set(address, mac.toLowerCase())
  }
  return users
}
