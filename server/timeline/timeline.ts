/**
 * The one path of events: takes in what the parts of the server and the agents tell, finds out whose it is (machines.ts), bounds
 * it (fact-admission.ts) and has it written (writer.ts). Decides nothing else, and keeps no state of nodes.
 */
import type { AgentEvent } from '../../src/events.js'
import { addressOwner } from '../../src/net.js'
import { boundedData, type Fact, type FactData, type FactType } from '../../src/timeline.js'
import type { Failures } from '../process/failures.js'
import type { NewTimelineEvent, NodeRow, StoredMachine, TimelineBatch } from '../store/store.js'
import { FactAdmission } from './fact-admission.js'
import { type Identity, Machines, type NetbootMachine } from './machines.js'
import { type ReportStats, TimelineWriter } from './writer.js'

/** What the timeline is made of. */
export interface TimelineOptions {
  /** One transaction, on the disk when it resolves. */
  readonly save: (batch: TimelineBatch) => Promise<void>
  /** Machines that were heard of before, longest silent first. */
  readonly machines?: () => readonly StoredMachine[]
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number
  /** Milliseconds of a clock that never goes back. */
  readonly elapsedMs: () => number
  /** A name of a boot that no agent has named yet: 16 hex digits, random. */
  readonly newBoot: () => string
  /** Runs something after so many milliseconds; the result calls it off. */
  readonly after: (ms: number, run: () => void) => () => void
  /** Told of each transaction. */
  readonly failures: Pick<Failures, 'failed' | 'worked'>
}

/** Who knows the rows of nodes, which are written with the events. */
export interface NodeRows {
  /** Nodes that have a row. */
  readonly stored: Iterable<string>
  isRemembered(id: string): boolean
  /** It has booted, or the configuration names it. */
  isKnown(id: string): boolean
  /** As it is now; undefined: it is not remembered. */
  row(id: string): NodeRow | undefined
}

/** What was left out is told this often at most, milliseconds. */
const leftOutEveryMs = 10_000

const noRows: NodeRows = {
  stored: [],
  isRemembered: () => false,
  isKnown: () => false,
  row: () => undefined,
}

/** See the module. */
export class Timeline {
  readonly #options: TimelineOptions
  readonly #machines: Machines
  readonly #admission = new FactAdmission()
  #rows = noRows
  #writer: TimelineWriter
  #leftOut = 0
  #leftOutToldMs = Number.NEGATIVE_INFINITY

  constructor(options: TimelineOptions) {
    this.#options = options
    this.#writer = this.#makeWriter(noRows)
    this.#machines = new Machines({
      isNode: (id) => this.#rows.isRemembered(id),
      isKnown: (id) => this.#rows.isKnown(id),
      newBoot: options.newBoot,
    })
  }

  /** Writes the rows of these nodes from now on; before anything is told. */
  begin(rows: NodeRows): void {
    this.#rows = rows
    this.#writer = this.#makeWriter(rows)
    this.#machines.restore(this.#options.machines?.() ?? [], this.#options.nowMs())
  }

  /** The row of a node has changed. */
  nodeChanged(id: string): void {
    this.#writer.node(id)
  }

  /** The node is remembered no more: its row goes, and its events. */
  nodeForgotten(id: string): void {
    this.#machines.forget(id)
    this.#writer.forget(id)
  }

  /**
   * Forgets the events of a machine that is no node; resolves when that is on the disk.
   *
   * @throws BootswarmError REPORTS_NOT_SAVED: they are forgotten on the disk later
   */
  async forgetMachine(mac: string): Promise<void> {
    this.#machines.forget(mac)
    this.#writer.forgetMachine(mac)
    await this.written()
  }

  /** Machines whose agents have not reported in their newest boot. */
  inNetboot(): NetbootMachine[] {
    return this.#machines.inNetboot()
  }

  /** The MAC of a node, where it is known. */
  macOf(node: string): string | undefined {
    return this.#machines.macOf(node)
  }

  /** The node that a machine was when its agent reported last. */
  nodeOf(mac: string): string | undefined {
    return this.#machines.nodeOf(mac)
  }

  /** Something that a machine did, or that was done for it. May be left out where too much comes. */
  machine(fact: Fact): void {
    const identity = this.#machines.ofFact(fact, fact.timeMs ?? this.#options.nowMs())
    if (identity !== undefined) this.#admit(fact, identity)
  }

  /** Something that the server did. */
  site(type: FactType, data: FactData): void {
    this.#append({ source: 'server', type, data }, {})
  }

  /** Something that the server did for a node, or found out about it. */
  node(id: string, boot: string, address: string, type: FactType, data: FactData): void {
    const source = type === 'manifest.sent' ? 'http' : 'server'
    this.#admit({ source, type, address, data }, this.#ofAgent(id, boot, address))
  }

  /** Something that was done to a node or a machine. It is of no boot: it may begin one, or reach a machine that is off. */
  about(id: string, type: FactType, data: FactData): void {
    const mac = this.#machines.macOf(id)
    const node = this.#rows.isRemembered(id) ? id : undefined
    const identity = { ...(mac === undefined ? {} : { mac }), ...(node === undefined ? {} : { node }) }
    this.#admit({ source: 'server', type, data }, identity)
  }

  /** Something that a request in a machine's name tells, which need not be the machine's own. */
  ofMac(mac: string, type: FactType, data: FactData): void {
    this.#admit({ source: 'http', type, data }, this.#machines.ofMac(mac))
  }

  /** So many facts were left out before they came here. */
  leftOut(count: number): void {
    this.#leftOut += count
  }

  /** An agent's event, which it is told to be kept once {@link written} resolves. */
  reported(node: string, address: string, event: AgentEvent, receivedMs: number): void {
    const { mac = null } = this.#ofAgent(node, event.boot, address)
    const { boot, seq, t_ms: senderMs, data } = event
    const type = event.type === 'unknown' ? event.name : event.type
    this.#writer.report({
      ...{ timeMs: receivedMs, source: 'agent', type, mac, node, boot, seq, senderMs },
      ...{ data: JSON.stringify(data), before: null },
    })
  }

  /**
   * Whether reports can be taken in now.
   *
   * @throws BootswarmError REPORTS_NOT_SAVED
   */
  checkReports(): void {
    this.#writer.check()
  }

  /**
   * Resolves when all that came until now is on the disk.
   *
   * @throws BootswarmError REPORTS_NOT_SAVED if that cannot be; it is tried again all the same
   */
  written(): Promise<void> {
    return this.#writer.written()
  }

  /** How the writing of reports stands. */
  reportStats(): ReportStats {
    return this.#writer.stats()
  }

  /** Writes the rest. */
  async stop(): Promise<void> {
    this.#leftOutToldMs = Number.NEGATIVE_INFINITY
    this.#tellLeftOut()
    await this.#writer.stop()
  }

  /** Whose a message of an agent is; told, where that is new. */
  #ofAgent(node: string, boot: string, address: string): Identity {
    const identity = this.#machines.ofAgent(node, boot, address, this.#options.nowMs())
    if (identity.before !== undefined) {
      const { before } = identity
      const data: FactData = before === boot ? {} : { before }
      this.#admit({ source: 'server', type: 'machine.identified', address, data }, identity, before)
    }
    return identity
  }

  #admit({ address, ...fact }: Fact, identity: Identity, before?: string): void {
    const { mac, node } = identity
    const isKnown = node !== undefined && this.#rows.isKnown(node)
    const machine = mac ?? node ?? address ?? ''
    const owner = address && addressOwner(address)
    if (!this.#admission.admits(machine, owner, isKnown, this.#options.elapsedMs())) {
      this.leftOut(1)
      return
    }
    this.#tellLeftOut()
    const data = address === undefined ? fact.data : { ...fact.data, address }
    this.#append({ ...fact, data }, identity, before)
  }

  #tellLeftOut(): void {
    const elapsedMs = this.#options.elapsedMs()
    if (this.#leftOut === 0 || elapsedMs - this.#leftOutToldMs < leftOutEveryMs) return
    const count = this.#leftOut
    this.#leftOut = 0
    this.#leftOutToldMs = elapsedMs
    this.#append({ source: 'server', type: 'facts.left-out', data: { count } }, {})
  }

  #append({ source, type, data, timeMs }: Fact, { mac, node, boot }: Identity, before?: string): void {
    const event: NewTimelineEvent = {
      ...{ timeMs: timeMs ?? this.#options.nowMs(), source, type, seq: null, senderMs: null },
      ...{ mac: mac ?? null, node: node ?? null, boot: boot ?? null, before: before ?? null },
      data: JSON.stringify(boundedData(data)),
    }
    if (!this.#writer.fact(event)) this.#leftOut += 1
  }

  #makeWriter(rows: NodeRows): TimelineWriter {
    const { save, after, failures } = this.#options
    return new TimelineWriter({
      save: ({ nodes, events, forgotten }) =>
        save({ forgotten, events, nodes: nodes.flatMap((id) => rows.row(id) ?? []) }),
      isRemembered: (id) => rows.isRemembered(id),
      stored: rows.stored,
      failures,
      after,
    })
  }
}
