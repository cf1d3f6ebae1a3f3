/** Which nodes a group matches. Pure; prepared once, then asked for each node. */

import type { MatchConfig } from './config-profiles.js'
import { expandHostlist } from './hostlist.js'
import { dmiKeys, hasSome, type MachineFacts } from './inventory.js'
import { addressBits, cidrBits } from './net.js'
import { macPrefix, normalizeMac } from './node-id.js'
import { hasRelayId } from './racks.js'

/** What is known of a node; empty or missing what is not. */
export interface NodeFacts {
  readonly id: string
  /** IP address. */
  readonly address: string
  readonly rack: string
  readonly relayIds: readonly string[]
  /** iPXE's name. */
  readonly arch: string | undefined
  /** What its machine is. */
  readonly machine?: MachineFacts | undefined
}

/** The same, as it is compared. */
export interface ComparedFacts extends Pick<NodeFacts, 'rack' | 'relayIds' | 'arch' | 'machine'> {
  /** As `macPrefix` writes them. */
  readonly macDigits: string
  readonly addressBits: string
}

/** Once for a node, however many groups there are. */
export function comparable({ id, address, ...facts }: NodeFacts): ComparedFacts {
  const { rack, relayIds, arch, machine } = facts
  const macDigits = normalizeMac(id)?.replaceAll(':', '') ?? ''
  return { rack, relayIds, arch, machine, macDigits, addressBits: addressBits(address) }
}

/** A match that is ready to be asked. */
export interface NodeMatch {
  /** `names`: the node's identity, and host names that single nodes are given. */
  readonly holds: (facts: ComparedFacts, names: readonly string[]) => boolean
  /** The identities (and host names) that it lists, in their order. */
  readonly listed: readonly string[]
  /** The place of a node among those, from 1. */
  readonly indexOf: (names: readonly string[]) => number | undefined
  /** It asks for what only the running server knows of a node: its address, relay, architecture. */
  readonly isByPlace: boolean
  /** It asks for what only an agent knows of a machine. */
  readonly isByMachine: boolean
  /** The rack of all its nodes, where it asks for one. */
  readonly onlyRack: string | undefined
  /** A node can be in it whose identity no list of it names. */
  readonly isOpen: boolean
}

type Conditions = Omit<MatchConfig, 'any' | 'all'>
type Test = NodeMatch['holds']

/** @throws BootswarmError CONFIG_INVALID for a wrong hostlist */
export function makeNodeMatch(match: MatchConfig): NodeMatch {
  const { any = [], all = [], ...own } = match
  const parts = [own, ...any, ...all]
  const listed = [...new Set(parts.flatMap(listOf))]
  const places = new Map(listed.map((name, at) => [name, at + 1]))
  const anyTests = any.map(testOf)
  const tests = [testOf(own), ...all.map(testOf), ...(anyTests.length === 0 ? [] : [oneOf(anyTests)])]
  return {
    holds: (facts, names) => tests.every((test) => test(facts, names)),
    listed,
    indexOf: (names) => {
      for (const name of names) {
        const index = places.get(name)
        if (index !== undefined) return index
      }
      return undefined
    },
    onlyRack: [own, ...all].map(({ racks }) => (racks?.length === 1 ? racks[0] : undefined)).find(Boolean),
    isOpen: !isClosed(own) && !all.some(isClosed) && (any.length === 0 || !any.every(isClosed)),
    isByPlace: parts.some(({ subnets, racks, relay_ids, archs }) =>
      [subnets, racks, relay_ids, archs].some((values) => values !== undefined),
    ),
    isByMachine: parts.some(({ dmi, pci }) => dmi !== undefined || pci !== undefined),
  }
}

/** It holds for nodes alone that it lists. */
function isClosed({ nodes, macs }: Conditions): boolean {
  return nodes !== undefined || macs?.every((mac) => normalizeMac(mac) !== undefined) === true
}

/** The nodes that a condition names one by one. */
function listOf({ nodes, macs = [] }: Conditions): string[] {
  const whole = macs.flatMap((mac) => normalizeMac(mac) ?? [])
  return [...(nodes === undefined ? [] : expandHostlist(nodes)), ...whole]
}

/** All that a condition says must hold. */
function testOf(conditions: Conditions): Test {
  const { nodes, macs, subnets, racks, relay_ids: relayIds, archs, dmi, pci } = conditions
  const tests: Test[] = []
  if (nodes !== undefined) {
    const wanted = new Set(expandHostlist(nodes))
    tests.push((_, names) => names.some((name) => wanted.has(name)))
  }
  if (macs !== undefined) {
    const isIn = beginsWithOneOf(macs.flatMap((mac) => macPrefix(mac) ?? []))
    tests.push(({ macDigits }) => isIn(macDigits))
  }
  if (subnets !== undefined) {
    const isIn = beginsWithOneOf(subnets.map(cidrBits))
    tests.push((facts) => isIn(facts.addressBits))
  }
  if (racks !== undefined) tests.push(({ rack }) => racks.includes(rack))
  if (relayIds !== undefined) tests.push((facts) => hasRelayId(relayIds, facts.relayIds))
  if (archs !== undefined) tests.push(({ arch }) => arch !== undefined && archs.some((name) => name === arch))
  for (const key of dmiKeys) {
    const wanted = dmi?.[key]
    if (wanted !== undefined) tests.push(({ machine }) => hasSome(wanted, [machine?.dmi[key]]))
  }
  if (pci !== undefined) tests.push(({ machine }) => hasSome(pci, machine?.pci ?? []))
  return (facts, names) => tests.every((test) => test(facts, names))
}

/** Whether a text begins with one of these, however many they are. */
function beginsWithOneOf(beginnings: readonly string[]): (text: string) => boolean {
  const all = new Set(beginnings)
  const lengths = [...new Set(beginnings.map(({ length }) => length))]
  return (text) => lengths.some((length) => all.has(text.slice(0, length)))
}

function oneOf(tests: readonly Test[]): Test {
  return (facts, names) => tests.some((test) => test(facts, names))
}
