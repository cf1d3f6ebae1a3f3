/**
 * Who uses an address: Linux asks by ARP before it sends a datagram, and shows the answer in /proc/net/arp. Needs no
 * right beyond that of sending. Elsewhere nobody seems to use anything: then DECLINE alone finds conflicts.
 */

import type { Socket } from 'node:dgram'
import { readFile } from 'node:fs/promises'
import { formatIpv4 } from '../../../src/ipv4.js'

/** A machine that is up answers within a few milliseconds; firmware repeats a DISCOVER after a second at the earliest. */
const answerMs = 250
const discardPort = 9

/** Told who uses an address: an Ethernet address, or undefined for nobody. */
export type ProbeAnswer = (address: number, user: string | undefined) => void

/** Asks for addresses; one look at the table answers all that are due. */
export class ArpProbe {
  readonly #answer: ProbeAnswer
  readonly #table: string
  readonly #due = new Map<number, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(answer: ProbeAnswer, table = '/proc/net/arp') {
    this.#answer = answer
    this.#table = table
  }

  /** Asks for an address through a socket of the interface where it must be. */
  ask(address: number, socket: Socket): void {
    if (this.#due.has(address)) return
    this.#due.set(address, performance.now() + answerMs)
    // An error (no buffer for one more neighbour) leaves the table without an answer.
    socket.send(Buffer.alloc(1), discardPort, formatIpv4(address), () => {})
    this.#timer ??= setTimeout(() => this.#look(), answerMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#due.clear()
  }

  async #look(): Promise<void> {
    const nowMs = performance.now()
    const ready = [...this.#due].filter(([, dueMs]) => dueMs <= nowMs + 1).map(([address]) => address)
    const users = parseArpTable(await readFile(this.#table, 'latin1').catch(() => ''))
    for (const address of ready) {
      if (!this.#due.delete(address)) continue
      this.#answer(address, users.get(formatIpv4(address)))
    }
    const nextMs = Math.min(...this.#due.values())
    this.#timer =
      this.#due.size === 0
        ? undefined
        : setTimeout(() => this.#look(), Math.max(1, nextMs - performance.now()))
  }
}

/** Ethernet addresses by IP address, of the complete entries. */
export function parseArpTable(text: string): Map<string, string> {
  const users = new Map<string, string>()
  const isComplete = 0x2
  for (const line of text.split('\n').slice(1)) {
    const [address, , flags, mac] = line.split(/\s+/)
    if (address === undefined || flags === undefined || mac === undefined) continue
    if ((Number(flags) & isComplete) !== 0 && mac !== '00:00:00:00:00:00')
      users.set(address, mac.toLowerCase())
  }
  return users
}
