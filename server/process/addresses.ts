/**
 * The addresses of this machine, followed while the server runs: the one place where certificate, manifests, LSD, DHT
 * and network boot learn them. An interface may get its address late, or another one, so no part may keep the address of the start.
 */
import { addressesOf, chooseAddress, type HostInterface } from '../../host/interfaces.js'
import type { NetbootConfig } from '../../src/config-netboot.js'
import type { Failures } from './failures.js'
import { Recurring } from './recurring.js'

/** Node cannot subscribe to the kernel's own messages (netlink); reading them costs less than a millisecond. */
const lookMs = 2_000

/** The addresses at one moment. */
export interface AddressState {
  /** Those that have an address and a link. */
  readonly interfaces: readonly HostInterface[]
  /** Where nodes reach this server, as far as one address can say it; 127.0.0.1 while there is none. */
  readonly address: string
  /** `address` belongs to this machine; else a router forwards it here, or it will come. */
  readonly isOwn: boolean
  /** Every address that nodes may use. */
  readonly all: readonly string[]
}

/** What they depend on. */
export interface AddressOptions {
  /** The configured address; undefined: `auto`. */
  readonly configured: string | undefined
  readonly netboot: NetbootConfig
  readonly read: () => readonly HostInterface[]
}

/** Told after each change. */
export type AddressListener = (now: AddressState, before: AddressState) => void

/** The addresses; looks for changes between `start` and `stop`. */
export class Addresses {
  readonly #options: AddressOptions
  /** Each with what it was told last. */
  readonly #listeners: { readonly tell: AddressListener; told: AddressState }[] = []
  #now: AddressState
  #looking: Recurring | undefined

  constructor(options: AddressOptions) {
    this.#options = options
    this.#now = this.#read()
  }

  get now(): AddressState {
    return this.#now
  }

  /** A listener that throws is told again at the next look. */
  onChange(tell: AddressListener): void {
    this.#listeners.push({ tell, told: this.#now })
  }

  /**
   * Reads them anew. What cannot be read stays as it was: a machine that is short of descriptors has not lost its addresses.
   *
   * @throws the system's error, or the first of the listeners' after all have been told
   */
  look(): void {
    const now = this.#read()
    if (JSON.stringify(now) !== JSON.stringify(this.#now)) this.#now = now
    const failures: unknown[] = []
    for (const listener of this.#listeners) {
      const { tell, told } = listener
      if (told === this.#now) continue
      try {
        tell(this.#now, told)
        listener.told = this.#now
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  /** Looks again and again. */
  start(failures: Failures): void {
    const part = 'following the addresses of this machine'
    this.#looking = new Recurring({ part, everyMs: lookMs, run: () => this.look(), failures })
    this.#looking.start()
  }

  stop(): void {
    this.#looking?.stop()
  }

  #read(): AddressState {
    const { configured, netboot, read } = this.#options
    const interfaces = read()
    const address = configured ?? chooseAddress(interfaces, netboot)
    const own = addressesOf(interfaces)
    return { interfaces, address, isOwn: own.includes(address), all: [...new Set([address, ...own])] }
  }
}

/** One IPv4 address of each interface that leads to others. */
export function firstIpv4({ interfaces }: AddressState): { address: string; cidr: string | null }[] {
  return interfaces.flatMap(({ addresses }) => {
    const first = addresses.find(({ family, internal }) => family === 'IPv4' && !internal)
    return first === undefined ? [] : [{ address: first.address, cidr: first.cidr }]
  })
}
