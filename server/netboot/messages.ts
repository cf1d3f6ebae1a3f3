/** Messages between the daemon and its netboot process. */

import type { Lease, LeaseChange, RelayPort } from '../../src/dhcp-lease.js'
import type { ErrorCode } from '../../src/errors.js'
import type { Fact } from '../../src/timeline.js'
import type { ChildExit } from '../process/child.js'
import type { DhcpSite } from './dhcp-site.js'

/** DHCP's part of the start message. */
export interface DhcpOptions {
  readonly site: DhcpSite
  /** Leases of earlier runs. */
  readonly leases: readonly Lease[]
}

/** TFTP's part of the start message. */
export interface TftpStart {
  /** IPv4 addresses to listen on. */
  readonly addresses: readonly string[]
  /** Boot programs by `ARCH/FILE`. */
  readonly programs: ReadonlyMap<string, Uint8Array>
  /** Host of the HTTP listener in URLs where it is not the address that a client asked at. */
  readonly httpHost?: string
  readonly httpPort: number
}

/** The first message. */
export type StartNetboot = {
  readonly type: 'start'
  /** The user to become for good once all ports are open; missing: no change. */
  readonly account?: { readonly uid: number; readonly gid: number }
  /** Lines of level debug are wanted. */
  readonly isVerbose: boolean
  readonly dhcp?: DhcpOptions
  readonly tftp?: TftpStart
}

export type ToNetboot =
  | StartNetboot
  /** The boot programs are others now. */
  | { readonly type: 'programs'; readonly programs: ReadonlyMap<string, Uint8Array> }
  /** Close the ports; end when nothing is under way any more. */
  | { readonly type: 'retire' }
  /** To the supervisor: put another process in the place of this one, which retires. */
  | { readonly type: 'replace' }

export type FromNetboot =
  | { readonly type: 'started' }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string }
  | {
      readonly type: 'log'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly event: string
      readonly facts: Readonly<Record<string, string | number | boolean>>
      readonly text: string
    }
  /** Leases to keep and addresses to forget, in the order that they happened; each address once. */
  | { readonly type: 'leases'; readonly changes: readonly LeaseChange[] }
  /** A relay says where a machine is. */
  | { readonly type: 'seen'; readonly mac: string; readonly relayPort: RelayPort }
  /** An interface is another one than that which the ports were opened on, though its name and address may be the same. */
  | { readonly type: 'stale' }
  /** Another DHCP server gives addresses here. */
  | { readonly type: 'other-server'; readonly address: number }
  /** For the timeline; so many more were left out since the last message. */
  | { readonly type: 'facts'; readonly facts: readonly Fact[]; readonly leftOut: number }
  /** From the supervisor: another process runs (it is new, or takes a place over) and waits for the start message. */
  | { readonly type: 'restarted' }
  /** From the supervisor: the process has ended unasked. */
  | ({ readonly type: 'exited' } & ChildExit)
  | { readonly type: 'stats'; readonly services: Readonly<Record<string, Readonly<Record<string, number>>>> }
