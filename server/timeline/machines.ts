/**
 * Which machine an event is about, and which boot of it. A machine is known by its MAC from its first packet; it becomes the
 * node that its agent says it is, which is named after the MAC unless the site chose otherwise. Until the agent names the boot,
 * the server does. Anybody can invent MACs and names of nodes, so machines of known nodes are bounded apart from the others. Pure.
 */
import { NODES_KNOWN_MAX, NODES_UNKNOWN_MAX } from '../../src/limits.js'
import { normalizeMac } from '../../src/node-id.js'
import type { Fact } from '../../src/timeline.js'
import type { StoredMachine } from '../store/store.js'
import { isAlarm } from './alarms.js'
import { afterFact, type NetbootState } from './netboot-state.js'

/** How far a boot has come, in order. */
const stages = ['firmware', 'program', 'script', 'files', 'agent'] as const
type Stage = (typeof stages)[number]

/** A machine that shows nothing for so long in the middle of network boot begins anew, milliseconds. */
const forgottenMs = 30 * 60_000
/** Two machines that use one address within this time are behind a router that translates addresses, milliseconds. */
const sharedMs = 10 * 60_000

/** Whose an event is. */
export interface Identity {
  readonly mac?: string
  readonly node?: string
  readonly boot?: string
}

/** Whose an agent's message is. */
export interface AgentIdentity extends Identity {
  /** This message is the first of its boot, which had this name until now; undefined: it is not the first. */
  readonly before?: string
}

/** A machine whose agent has not reported in its newest boot. */
export interface NetbootMachine {
  readonly mac: string
  /** The node that it was in an earlier boot. */
  readonly node: string | undefined
  /** As the server named it. */
  readonly boot: string
  readonly state: NetbootState
  /** Empty: it has not been seen with one. */
  readonly address: string
  /** When it was heard of first, when this boot began, and when it was heard of last, milliseconds since 1970. */
  readonly firstMs: number
  readonly bootMs: number
  readonly heardMs: number
}

interface Machine {
  node: string | undefined
  boot: string
  /** The last boot that an agent named. */
  agentBoot: string
  stage: Stage
  /** For people: finer than the stage, and decides nothing. */
  state: NetbootState
  /** When it came to that. */
  stateMs: number
  address: string
  readonly firstMs: number
  readonly bootMs: number
  heardMs: number
}

interface AddressUse {
  readonly mac: string
  readonly sinceMs: number
  /** Until then another machine used it too. */
  readonly sharedUntilMs: number
}

/** What the machines are made with. */
export interface MachinesOptions {
  /** Whether a node of this identity is remembered. */
  readonly isNode: (id: string) => boolean
  /** Whether that node has booted, or the configuration names it. */
  readonly isKnown: (id: string) => boolean
  /** A new name of a boot: 16 hex digits, random. */
  readonly newBoot: () => string
}

/** All machines that have been heard of. */
export class Machines {
  readonly #options: MachinesOptions
  /** By MAC, longest silent first: those of known nodes, and others. */
  readonly #known = new Map<string, Machine>()
  readonly #strangers = new Map<string, Machine>()
  /** MACs of nodes that are named otherwise. */
  readonly #macOfNode = new Map<string, string>()
  readonly #macAt = new Map<string, AddressUse>()

  constructor(options: MachinesOptions) {
    this.#options = options
  }

  /** Those that were heard of before a restart, longest silent first. */
  restore(stored: readonly StoredMachine[], nowMs: number): void {
    for (const { mac, node, boot, agentBoot, address, firstMs, bootMs, types, ...last } of stored) {
      // A clock that has been set back since would keep the next boot from beginning.
      const heardMs = Math.min(last.heardMs, nowMs)
      const machine: Machine = {
        ...{ node, boot, agentBoot, address, firstMs, bootMs, heardMs },
        stage: boot === agentBoot ? 'agent' : types.map((type) => stageOf(type)).reduce(later, 'firmware'),
        state: types.reduce<NetbootState>(afterFact, 'dhcp'),
        stateMs: heardMs,
      }
      this.#put(mac, machine)
      if (node !== undefined && node !== mac) bounded(this.#macOfNode, node, mac, NODES_KNOWN_MAX)
      if (address !== '') this.#uses(address, mac, heardMs)
    }
  }

  /** The node is remembered no more, and neither is its machine: whatever it does next is its first. */
  forget(node: string): void {
    const mac = this.macOf(node) ?? node
    this.#known.delete(mac)
    this.#strangers.delete(mac)
    this.#macOfNode.delete(node)
  }

  /** The MAC of a node, where it is known. */
  macOf(node: string): string | undefined {
    return this.#macOfNode.get(node) ?? normalizeMac(node)
  }

  /** The node that a machine was when its agent reported last. */
  nodeOf(mac: string): string | undefined {
    return this.#get(mac)?.node
  }

  /** Machines in network boot: those whose agents have reported since are left out. */
  inNetboot(): NetbootMachine[] {
    return [...this.#known, ...this.#strangers].flatMap(([mac, machine]) => {
      const { node, boot, state, address, firstMs, bootMs, heardMs, stage } = machine
      return stage === 'agent' ? [] : [{ mac, node, boot, state, address, firstMs, bootMs, heardMs }]
    })
  }

  /**
   * Whose a fact is; undefined: of nobody that boots, and nothing to keep.
   *
   * @param timeMs when it happened: what another process tells comes a moment late
   */
  ofFact(fact: Fact, timeMs: number): Identity | undefined {
    const mac = fact.mac ?? (fact.address === undefined ? undefined : this.#macAt.get(fact.address)?.mac)
    if (mac === undefined) return {}
    if (fact.mac !== undefined && fact.address !== undefined) this.#uses(fact.address, mac, timeMs)
    const before = this.#get(mac)
    if (isOfSystem(fact, before?.stage)) return undefined
    const machine =
      before === undefined || isNewBoot(before, fact, timeMs) ? this.#begin(mac, before, timeMs) : before
    machine.stage = later(machine.stage, stageOf(fact.type))
    const state = afterFact(machine.state, fact.type)
    // What another process tells late does not undo what has happened since.
    if (state !== machine.state && timeMs >= machine.stateMs)
      Object.assign(machine, { state, stateMs: timeMs })
    machine.address = fact.address ?? machine.address
    machine.heardMs = Math.max(machine.heardMs, timeMs)
    this.#put(mac, machine)
    const { node, boot } = machine
    return { mac, boot, ...(node === undefined ? {} : { node }) }
  }

  /** Whose something is that is said of a machine, and changes nothing about it. */
  ofMac(mac: string): Identity {
    const machine = this.#get(mac)
    if (machine === undefined) return { mac }
    const { node, boot } = machine
    return { mac, boot, ...(node === undefined ? {} : { node }) }
  }

  /**
   * Whose a message of an agent is.
   *
   * @param boot as the agent names it, empty if it does not
   * @param address where it comes from
   */
  ofAgent(node: string, boot: string, address: string, nowMs: number): AgentIdentity {
    const mac = normalizeMac(node) ?? this.#strangerAt(address, nowMs) ?? this.#macOfNode.get(node)
    if (mac === undefined) return { node, ...(boot === '' ? {} : { boot }) }
    const known = this.#get(mac)
    const machine = known ?? this.#begin(mac, undefined, nowMs)
    if (boot === '') return { mac, node, boot: machine.boot }
    const identity = { mac, node, boot }
    // What an agent has left to say of a boot that is over names no other one.
    if (boot === machine.agentBoot) return identity
    const before = known === undefined || known.stage === 'agent' ? boot : known.boot
    Object.assign(machine, { node, boot, agentBoot: boot, stage: 'agent', address, heardMs: nowMs })
    if (mac !== node) bounded(this.#macOfNode, node, mac, NODES_KNOWN_MAX)
    this.#put(mac, machine)
    return { ...identity, before }
  }

  #get(mac: string): Machine | undefined {
    return this.#known.get(mac) ?? this.#strangers.get(mac)
  }

  #begin(mac: string, before: Machine | undefined, nowMs: number): Machine {
    const node = before?.node ?? (this.#options.isNode(mac) ? mac : undefined)
    return {
      ...{ node, agentBoot: before?.agentBoot ?? '', boot: this.#options.newBoot() },
      ...{ stage: 'firmware', state: 'dhcp', stateMs: nowMs, address: before?.address ?? '' },
      ...{ firstMs: before?.firstMs ?? nowMs, bootMs: nowMs, heardMs: nowMs },
    }
  }

  #put(mac: string, machine: Machine): void {
    this.#known.delete(mac)
    this.#strangers.delete(mac)
    const { node } = machine
    if (node !== undefined && this.#options.isKnown(node)) bounded(this.#known, mac, machine, NODES_KNOWN_MAX)
    else bounded(this.#strangers, mac, machine, NODES_UNKNOWN_MAX)
  }

  #uses(address: string, mac: string, nowMs: number): void {
    const last = this.#macAt.get(address)
    const isOther = last !== undefined && last.mac !== mac && nowMs - last.sinceMs < sharedMs
    const sharedUntilMs = isOther ? nowMs + sharedMs : (last?.sharedUntilMs ?? 0)
    const use = { mac, sinceMs: nowMs, sharedUntilMs }
    bounded(this.#macAt, address, use, NODES_KNOWN_MAX + NODES_UNKNOWN_MAX)
  }

  /** The machine that loaded its kernel at this address, if it was the only one there. */
  #strangerAt(address: string, nowMs: number): string | undefined {
    const use = this.#macAt.get(address)
    if (use === undefined || nowMs < use.sharedUntilMs) return undefined
    const machine = this.#get(use.mac)
    return machine?.stage === 'files' || machine?.stage === 'script' ? use.mac : undefined
  }
}

/** Whether it is DHCP of a system that runs, or was never booted from here: it asks for its address every now and then. */
function isOfSystem({ type, source, data }: Fact, stage: Stage | undefined): boolean {
  if (source !== 'dhcp') return false
  // An answer is kept where its question was.
  if (type === 'dhcp.answered' || data.client === undefined) return stage === undefined || stage === 'agent'
  return data.client === 'system' && stage !== 'files'
}

/** Whether the machine was switched off and on before this. */
function isNewBoot({ stage, heardMs }: Machine, { type, data }: Fact, timeMs: number): boolean {
  if (timeMs < heardMs) return false
  if (stage !== 'agent' && timeMs - heardMs > forgottenMs) return true
  switch (type) {
    case 'dhcp.seen':
      if (data.message !== 'discover' || stage === 'firmware') return false
      // An iPXE in the card's ROM is the firmware; one that was loaded asks once more.
      return data.client === 'firmware' || (data.client === 'ipxe' && stage !== 'program')
    case 'script.asked':
      // A machine says its architecture when it was asked for it; a person may ask for its script at any time.
      return data.arch === undefined && (stage === 'agent' || stage === 'files')
    default:
      return false
  }
}

function stageOf(type: string): Stage {
  // Alarms say nothing of how far it is.
  if (type.startsWith('dhcp.') || isAlarm(type)) return 'firmware'
  if (type.startsWith('program.')) return 'program'
  return type.startsWith('kernel.') || type.startsWith('stage1.') ? 'files' : 'script'
}

function later(a: Stage, b: Stage): Stage {
  return stages.indexOf(a) >= stages.indexOf(b) ? a : b
}

/** Sets an entry as the newest; the oldest makes room. */
function bounded<Value>(map: Map<string, Value>, key: string, value: Value, max: number): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= max) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}
