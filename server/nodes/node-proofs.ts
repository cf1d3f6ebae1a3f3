/**
 * Whether a request is its node's (docs/tickets.md): redeems tickets, holds signatures against keys, and tells of those who try in
 * another's name. Decides by what it is given; time is passed in.
 */
import { isSigned, type Proof } from '../../src/credentials.js'
import { BootswarmError } from '../../src/errors.js'
import { addressOwner } from '../../src/net.js'
import type { NodeKey, Ticket } from '../../src/tickets.js'
import type { FactData } from '../../src/timeline.js'
import type { NodeLog } from './event-log.js'
import { LineLimit } from './line-limit.js'
import type { NodeKeys, RequestKind } from './node-keys.js'
import { type Tickets, ticketSha256 } from './tickets.js'

/** A request in a node's name. */
export interface NodeRequest {
  readonly node: string
  readonly address: string
  /** Undefined: it has none. */
  readonly proof: Proof | undefined
}

/** `proven`: it is the node's own; `open`: the node has no key, so that anybody may say so; `stranger`: it has one, and this is not it. */
export type Standing = 'proven' | 'open' | 'stranger'

/** Somebody tried in a node's name. */
type AlarmType = 'ticket.refused' | 'report.refused' | 'manifest.unproven'

/** What the proofs are made with. */
export interface NodeProofsOptions {
  readonly tickets: Tickets
  readonly keys: NodeKeys
  /** Told what is of a machine. */
  readonly tell: (mac: string, type: AlarmType | 'ticket.redeemed', data: FactData) => void
  readonly log: Pick<NodeLog, 'warn'>
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number
}

/** Alarms of a kind within a minute: of a node, so that they push out nothing else of it, by an address, and of all. */
const alarmLimits = { windowMs: 60_000, nodeMax: 4, addressMax: 16, allMax: 64 } as const

/** See the module. */
export class NodeProofs {
  readonly #options: NodeProofsOptions
  /** By kind: those that anybody can cause suppress none of the others. */
  readonly #alarms = {
    'ticket.refused': new LineLimit(alarmLimits),
    'report.refused': new LineLimit(alarmLimits),
    'manifest.unproven': new LineLimit(alarmLimits),
  }

  constructor(options: NodeProofsOptions) {
    this.#options = options
  }

  /**
   * Whose a request for a manifest is. The first with a ticket redeems it.
   *
   * @throws BootswarmError TICKET_REFUSED
   */
  ofManifest(request: NodeRequest): Standing {
    const { node, address, proof } = request
    const { keys } = this.#options
    const ticket = proof?.credentials.ticket
    if (proof !== undefined && ticket !== undefined) return this.#redeem(request, proof, ticketSha256(ticket))
    const key = keys.get(node)
    if (key === undefined) return 'open'
    if (this.#faultOf(key, proof, 'manifest') === undefined) return 'proven'
    if (this.#beginsAnew(key, address)) {
      keys.drop(node)
      return 'open'
    }
    this.#alarm(key, 'manifest.unproven', { from: address })
    return 'stranger'
  }

  /**
   * Whether a report is its node's.
   *
   * @throws BootswarmError SIGNATURE_INVALID
   */
  checkReport({ node, address, proof }: NodeRequest): void {
    const key = this.#options.keys.get(node)
    if (key === undefined) return
    const why = this.#faultOf(key, proof, 'report')
    if (why === undefined || this.#beginsAnew(key, address)) return
    this.#alarm(key, 'report.refused', { why, from: address })
    throw new BootswarmError('SIGNATURE_INVALID', 'the report is not signed with the key of its node')
  }

  #redeem({ node, address }: NodeRequest, proof: Proof, sha256: string): Standing {
    const { tickets, keys, tell, nowMs } = this.#options
    const redeemed = keys.ofTicket(sha256)
    if (redeemed !== undefined) {
      // The same agent again: it has not got the answer, or tries anew.
      const isSame = redeemed.node === node && this.#faultOf(redeemed, proof, 'manifest') === undefined
      if (isSame) return 'proven'
      this.#alarm(redeemed, 'ticket.refused', { why: 'used', from: address, redeemed_from: redeemed.address })
      throw refused('it was redeemed before')
    }
    const ticket = tickets.get(sha256)
    if (ticket === undefined) throw refused('it is not known, or no longer')
    const why = this.#refusalOf(ticket, node, address, proof)
    if (why !== undefined) {
      // It is its machine all the same: what it goes on to do without a ticket is not a stranger's.
      if (why === 'expired' && ticket.issuedMs > (keys.get(node)?.redeemedMs ?? ticket.issuedMs))
        keys.drop(node)
      this.#alarm(ticket, 'ticket.refused', { why, from: address, issued_to: ticket.address })
      throw refused(reasons[why])
    }
    tickets.remove(sha256)
    const before = keys.get(node)
    const { key, counter } = proof.credentials
    const { mac } = ticket
    keys.put({ node, mac, key, ticketSha256: sha256, address, redeemedMs: nowMs(), counter })
    const hasMoved = before !== undefined && before.address !== address
    tell(mac, 'ticket.redeemed', { address, ...(hasMoved ? { previous_address: before.address } : {}) })
    return 'proven'
  }

  /** Why a ticket that is known may not be redeemed so; undefined: it may. */
  #refusalOf(ticket: Ticket, node: string, address: string, proof: Proof): keyof typeof reasons | undefined {
    if (ticket.node !== node) return 'node'
    if (ticket.address !== address) return 'address'
    if (!isSigned(proof)) return 'signature'
    return this.#options.nowMs() < ticket.expiresMs ? undefined : 'expired'
  }

  /** What is wrong with a request of a node that has this key; undefined: nothing is, and its number is used. */
  #faultOf(
    key: NodeKey,
    proof: Proof | undefined,
    kind: RequestKind,
  ): 'unsigned' | 'signature' | 'replayed' | undefined {
    if (proof === undefined) return 'unsigned'
    if (proof.credentials.key !== key.key || !isSigned(proof)) return 'signature'
    return this.#options.keys.count(key.node, kind, proof.credentials.counter) ? undefined : 'replayed'
  }

  /**
   * Whether its machine has been given another ticket since, at this address: who could redeem it may as well come without, as agents
   * do that know of none.
   */
  #beginsAnew({ node, mac, redeemedMs }: NodeKey, address: string): boolean {
    const { tickets, nowMs } = this.#options
    const ticket = tickets.ofMachine(mac, address)
    return ticket?.node === node && ticket.issuedMs > redeemedMs && nowMs() < ticket.expiresMs
  }

  #alarm(
    { node, mac }: { readonly node: string; readonly mac: string },
    type: AlarmType,
    data: FactData & { readonly from: string },
  ): void {
    const { tell, log, nowMs } = this.#options
    const shares = [
      { name: `node ${node}`, max: alarmLimits.nodeMax },
      { name: `address ${addressOwner(data.from)}`, max: alarmLimits.addressMax },
    ]
    if (!this.#alarms[type].admits(shares, data.from, nowMs())) return
    tell(mac, type, data)
    log.warn({ event: `node.${type}`, node, mac, ...data }, `${node}: ${type}, by ${data.from}`)
  }
}

const reasons = {
  node: 'it is another node’s',
  address: 'it was given to another address',
  expired: 'it has expired',
  signature: 'the request is not signed with its key',
} as const

function refused(why: string): BootswarmError {
  return new BootswarmError('TICKET_REFUSED', `the ticket is refused: ${why}`)
}
