/** Reads what `iptables-save` prints. Pure. */

import type { BaseChain, Match, Rule, RuleTable, Verdict } from './model.js'
import { addressIn, interfaceIs, not, portIn } from './values.js'

const directions: Readonly<Record<string, BaseChain['direction']>> = {
  PREROUTING: 'in',
  INPUT: 'in',
  FORWARD: 'forward',
  OUTPUT: 'out',
  POSTROUTING: 'out',
}
/** Tables that may drop. */
const dropping = ['filter', 'mangle', 'raw', 'security']
const verdicts: Readonly<Record<string, Verdict>> = {
  ACCEPT: { kind: 'accept' },
  DROP: { kind: 'drop' },
  REJECT: { kind: 'drop' },
  RETURN: { kind: 'return' },
}

/** All tables of a listing. */
export function readIptables(text: string): RuleTable[] {
  return text.split(/^COMMIT$/m).flatMap((part) => {
    const name = /^\*([a-z]+)$/m.exec(part)?.[1] ?? ''
    if (!dropping.includes(name)) return []
    const bases: BaseChain[] = []
    const chains = new Map<string, Rule[]>()
    for (const line of part.split('\n')) {
      const chain = /^:(\S+) (\S+)/.exec(line)
      if (chain?.[1] !== undefined) {
        chains.set(chain[1], [])
        const direction = directions[chain[1]]
        if (direction !== undefined) {
          const policy = chain[2] === 'DROP' ? 'drop' : 'accept'
          bases.push({
            name: chain[1],
            direction,
            policy,
            text: `iptables -P ${chain[1]} DROP (its policy)`,
            tool: 'iptables',
          })
        }
      }
      const rule = /^(?:\[[0-9:]+\] )?-A (\S+) ?(.*)$/.exec(line)
      if (rule?.[1] !== undefined) chains.get(rule[1])?.push(readRule(rule[2] ?? '', line, chains))
    }
    return [{ bases, chains }]
  })
}

function readRule(text: string, line: string, chains: ReadonlyMap<string, unknown>): Rule {
  const words = text.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []
  const matches: Match[] = []
  let verdict: Verdict = { kind: 'none' }
  for (let at = 0; at < words.length; at++) {
    const isNegated = words[at] === '!'
    if (isNegated) at++
    const flag = words[at] ?? ''
    const value = words[at + 1] ?? ''
    if (flag === '-m') {
      at++
      continue
    }
    if (flag === '-j' || flag === '-g') {
      const kind = flag === '-g' ? 'goto' : 'jump'
      verdict = verdicts[value] ?? (chains.has(value) ? { kind, chain: value } : { kind: 'none' })
      break
    }
    const make = readers[flag]
    // Of an unknown flag it is not known either how many words follow: the next one that begins with a dash is a flag.
    if (make === undefined) matches.push(() => undefined)
    else matches.push(isNegated ? (packet) => not(make(value)(packet)) : make(value))
    while (at + 1 < words.length && !/^(-|!)/.test(words[at + 1] ?? '')) at++
  }
  return { matches, verdict: () => verdict, text: line.replace(/^-A/, 'iptables -A') }
}

const readers: Readonly<Record<string, (value: string) => Match>> = {
  '-p': (value) => (packet) => value === 'all' || value === packet.proto,
  '-i': (value) => (packet) => packet.direction !== 'out' && interfaceIs(packet.iface, value),
  '-o': (value) => (packet) => packet.direction !== 'in' && interfaceIs(packet.iface, value),
  '-s': (value) => (packet) => addressIn(packet.saddr, value),
  '-d': (value) => (packet) => addressIn(packet.daddr, value),
  '--dport': (value) => (packet) => portIn(packet.dport, [value]),
  '--sport': (value) => (packet) => portIn(packet.sport, [value]),
  '--dports': (value) => (packet) => portIn(packet.dport, value.split(',')),
  '--sports': (value) => (packet) => portIn(packet.sport, value.split(',')),
  '--ctstate': states,
  '--state': states,
  '--pkt-type': (value) => (packet) => (value === 'broadcast') === packet.isBroadcast,
  '--dst-type': (value) => (packet) =>
    value
      .split(',')
      .includes(packet.isBroadcast ? 'BROADCAST' : packet.direction === 'in' ? 'LOCAL' : 'UNICAST'),
  '--comment': () => () => true,
}

function states(value: string): Match {
  return ({ state }) => value.split(',').includes(state.toUpperCase())
}
