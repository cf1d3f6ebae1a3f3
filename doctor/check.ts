/** What a group of checks is made of: gathering facts (I/O) apart from judging them (pure). */

import type { HostInterface } from '../host/interfaces.js'
import type { DhcpInterface } from '../server/netboot/dhcp-site.js'
import type { Ports } from '../server/process/ports-file.js'
import type { Config } from '../src/config.js'
import type { Finding } from './finding.js'

/** How many nodes a rack has. */
export interface RackSize {
  readonly name: string
  readonly nodes: number
}

/** What every check knows: the configuration, and whether a server runs on it. */
export interface Site {
  readonly config: Config
  /** How network boot would run here: `auto` is `proxy` for who may open the ports. */
  readonly mode: 'proxy' | 'full' | 'off'
  /** The interfaces that are served, or the one that was asked for. */
  readonly served: readonly DhcpInterface[]
  /** The one that was asked for (`--interface`). */
  readonly only: string | undefined
  /** Those that have an address. */
  readonly interfaces: readonly HostInterface[]
  /** The server that runs on this data directory. */
  readonly server: { readonly pid: number; readonly ports: Ports } | undefined
  /** The rack with most nodes, as that server knows them. */
  readonly largestRack: RackSize | undefined
  readonly isRoot: boolean
  /** How long to listen on the network. */
  readonly timeoutMs: number
  readonly nowMs: number
}

/** Facts, and what could not be looked at and why. */
export interface Gathered<Facts> {
  /** Undefined where nothing could be looked at. */
  readonly facts: Facts | undefined
  readonly leftOut: readonly string[]
}

/** What came of a check. */
export interface Outcome {
  readonly name: string
  readonly findings: readonly Finding[]
  readonly leftOut: readonly string[]
}

/** A group of checks. */
export interface Check {
  readonly name: string
  /** One line for people. */
  readonly title: string
  run(site: Site): Promise<Outcome>
}

/** Puts a group together. A gatherer that fails leaves its group out: the others still tell what they know. */
export function makeCheck<Facts>(parts: {
  readonly name: string
  readonly title: string
  gather(site: Site): Promise<Gathered<Facts>>
  judge(facts: Facts, site: Site): Finding[]
}): Check {
  const { name, title, gather, judge } = parts
  return {
    name,
    title,
    run: async (site) => {
      try {
        const { facts, leftOut } = await gather(site)
        return { name, findings: facts === undefined ? [] : judge(facts, site), leftOut }
      } catch (error) {
        return { name, findings: [], leftOut: [`${title}: ${(error as Error).message}`] }
      }
    },
  }
}
