/** What the parts of the server are handed when they are put together. */
import type { Config } from '../../src/config.js'
import { formatUrlHost } from '../../src/net.js'
import type { Addresses } from '../process/addresses.js'
import type { Failures } from '../process/failures.js'
import type { Logger } from '../process/log.js'
import type { Ports } from '../process/ports-file.js'

/** What every part is made with. */
export interface Common {
  /** Paths absolute, `address` an IP address. */
  readonly config: Config
  readonly log: Logger
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number
  /** Where parts that fail are named. */
  readonly failures: Failures
}

/** Runs something after so many milliseconds; the result calls it off. */
export function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}

/**
 * The ports that are open by now, 0 for the rest: each part writes its own when it starts. A part that sends nodes
 * another part's port reads it here for each answer.
 */
export type OpenPorts = { -readonly [Name in keyof Ports]: Ports[Name] }

/** None is open yet. */
export function noPorts(): OpenPorts {
  return { http: 0, https: 0, seeder: 0, dht: 0, operators: 0 }
}

/** At which address nodes reach this server, now: it changes with the machine's addresses. */
export interface Reach {
  /** Set where it is one that the machine itself does not have: behind a NAT. */
  natAddress(): string | undefined
  /** Where nodes reach the HTTP listener, if not at the address that DHCP has on their network. */
  httpHost(): string | undefined
  /** The address that a client uses for us, from the one that its connection arrived at. */
  at(arrivedAt: string): string
}

/** Behind a NAT, nodes cannot use the address that their connection arrived at. */
export function reachOf({ bind }: Config, addresses: Addresses): Reach {
  const natAddress = () => (addresses.now.isOwn ? undefined : addresses.now.address)
  const bound = bind === '0.0.0.0' || bind === '::' ? undefined : bind
  return {
    natAddress,
    httpHost: () => {
      const host = natAddress() ?? bound
      return host === undefined ? undefined : formatUrlHost(host)
    },
    at: (arrivedAt) => natAddress() ?? arrivedAt,
  }
}
