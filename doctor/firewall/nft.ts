/** Reads what `nft -j list ruleset` prints. Pure. */

import type { BaseChain, Match, Packet, Rule, RuleTable, Verdict } from './model.js'
import { addressIn, anyOf, interfaceIs, not, portIn } from './values.js'

type Json = Readonly<Record<string, unknown>>

const directions: Readonly<Record<string, BaseChain['direction']>> = {
  prerouting: 'in',
  input: 'in',
  forward: 'forward',
  output: 'out',
  postrouting: 'out',
}
const families = ['inet', 'ip']
const verdicts: Readonly<Record<string, Verdict['kind']>> = {
  accept: 'accept',
  drop: 'drop',
  reject: 'drop',
  return: 'return',
}
/** Statements that neither ask nor decide. */
const silent = ['counter', 'log', 'comment', 'meter', 'notrack', 'ct helper']

/**
 * All tables but those that iptables keeps through nft: their extensions (`xt`) are opaque here and plain in
 * `iptables-save`, unless `withIptables` says that there is no such listing.
 *
 * `texts`: each rule as nft prints it, by `family table chain handle` ({@link ruleTexts}).
 */
export function readNft(
  ruleset: unknown,
  texts: ReadonlyMap<string, string>,
  withIptables: boolean,
): RuleTable[] {
  const items = isObject(ruleset) && Array.isArray(ruleset.nftables) ? ruleset.nftables.filter(isObject) : []
  const of = (kind: string) => items.map((item) => item[kind]).filter(isObject)
  const tables = of('table').filter(({ family }) => families.includes(String(family)))
  return tables.flatMap(({ family, name }) => {
    const within = (kind: string) => of(kind).filter((item) => item.family === family && item.table === name)
    const chains = within('chain')
    const isOfIptables =
      family === 'ip' && chains.some((chain) => /^(INPUT|FORWARD|OUTPUT)$/.test(String(chain.name)))
    if (isOfIptables && !withIptables) return []
    const sets = new Map(within('set').map((set) => [`@${set.name}`, set.elem]))
    const rules = (chain: unknown) =>
      within('rule')
        .filter((rule) => rule.chain === chain)
        .map((rule) => readRule(rule, sets, texts.get(`${family} ${name} ${chain} ${rule.handle}`) ?? ''))
    return [
      {
        bases: chains.flatMap((chain) => baseOf(chain, `${family} ${name}`) ?? []),
        chains: new Map(chains.map((chain) => [String(chain.name), rules(chain.name)])),
      },
    ]
  })
}

/** The rules of `nft -a list ruleset` by family, table, chain and handle. */
export function ruleTexts(listing: string): Map<string, string> {
  const texts = new Map<string, string>()
  let table = ''
  let chain = ''
  for (const line of listing.split('\n')) {
    table = /^table (\S+ \S+) \{/.exec(line)?.[1] ?? table
    chain = /^\s+chain (\S+) \{/.exec(line)?.[1] ?? chain
    const rule = /^\s+(.*) # handle ([0-9]+)$/.exec(line)
    if (rule?.[1] !== undefined && !/^chain /.test(rule[1])) {
      texts.set(`${table} ${chain} ${rule[2]}`, `${table} ${chain}: ${rule[1]}`)
    }
  }
  return texts
}

function baseOf(chain: Json, table: string): BaseChain | undefined {
  const direction = directions[String(chain.hook)]
  if (direction === undefined || chain.type !== 'filter') return undefined
  return {
    name: String(chain.name),
    direction,
    policy: chain.policy === 'drop' ? 'drop' : 'accept',
    text: `${table} ${chain.name}: policy drop`,
    tool: 'nft',
  }
}

function readRule(rule: Json, sets: ReadonlyMap<string, unknown>, text: string): Rule {
  const matches: Match[] = []
  let verdict: Rule['verdict'] = () => ({ kind: 'none' })
  for (const statement of Array.isArray(rule.expr) ? rule.expr.filter(isObject) : []) {
    const [name = '', value] = Object.entries(statement)[0] ?? []
    const kind = verdicts[name]
    if (kind !== undefined || name === 'jump' || name === 'goto') {
      const fixed = verdictOf(statement)
      verdict = () => fixed
    } else if (name === 'match' && isObject(value)) matches.push(readMatch(value, sets))
    else if (name === 'vmap' && isObject(value)) verdict = readMap(value, sets)
    else if (name === 'xt' && isObject(value) && value.type === 'target') verdict = () => undefined
    else if (!silent.includes(name)) matches.push(() => undefined)
  }
  return { matches, verdict, text }
}

function verdictOf(statement: unknown): Verdict | undefined {
  const [name = '', value] = isObject(statement) ? (Object.entries(statement)[0] ?? []) : []
  const kind = verdicts[name]
  if (kind === 'accept' || kind === 'drop' || kind === 'return') return { kind }
  if ((name === 'jump' || name === 'goto') && isObject(value))
    return { kind: name, chain: String(value.target) }
  return undefined
}

function readMatch({ left, op, right }: Json, sets: ReadonlyMap<string, unknown>): Match {
  if (op !== '==' && op !== '!=' && op !== 'in') return () => undefined
  const values = elements(right, sets)
  const match: Match = (packet) =>
    values === undefined ? undefined : anyOf(values.map((value) => compare(left, value, packet)))
  // Another protocol has no such field: nft asks for the protocol first, whatever is compared then.
  const isOther = (packet: Packet) =>
    isObject(left) && isObject(left.payload) && isOfOther(left.payload, packet)
  return (packet) => !isOther(packet) && (op === '!=' ? not(match(packet)) : match(packet))
}

/** A verdict map: the first element that is meant decides. */
function readMap({ key, data }: Json, sets: ReadonlyMap<string, unknown>): Rule['verdict'] {
  const pairs = elements(data, sets)
  return (packet) => {
    if (pairs === undefined) return undefined
    for (const pair of pairs) {
      if (!Array.isArray(pair)) return undefined
      const meant = compare(key, pair[0], packet)
      if (meant === undefined) return undefined
      if (meant) return verdictOf(pair[1])
    }
    return { kind: 'none' }
  }
}

/** A value, or those of a set; undefined for what is not known. */
function elements(right: unknown, sets: ReadonlyMap<string, unknown>): unknown[] | undefined {
  if (typeof right === 'string' && right.startsWith('@')) {
    const named = sets.get(right)
    return named === undefined ? [] : elements(named, sets)
  }
  if (isObject(right) && Array.isArray(right.set)) return right.set
  return Array.isArray(right) ? right : [right]
}

/** Whether one thing of a packet has one value. */
function compare(left: unknown, value: unknown, packet: Packet): boolean | undefined {
  if (!isObject(left)) return undefined
  if (isObject(value) && 'elem' in value && isObject(value.elem)) return compare(left, value.elem.val, packet)
  const { meta, ct, payload } = left
  const text = String(value)
  if (isObject(meta)) {
    switch (meta.key) {
      case 'iifname':
      case 'iif':
        return packet.direction !== 'out' && interfaceIs(packet.iface, text)
      case 'oifname':
      case 'oif':
        return packet.direction !== 'in' && interfaceIs(packet.iface, text)
      case 'l4proto':
        return text === packet.proto
      case 'nfproto':
        return text === 'ipv4'
      case 'pkttype':
        return (text === 'broadcast') === packet.isBroadcast
      default:
        return undefined
    }
  }
  if (isObject(ct)) {
    if (ct.key === 'state') return text === packet.state
    // A packet without address translation.
    return ct.key === 'status' && /^[sd]nat$/.test(text) ? false : undefined
  }
  return isObject(payload) ? comparePayload(payload, value, packet) : undefined
}

function comparePayload({ protocol, field }: Json, value: unknown, packet: Packet): boolean | undefined {
  if (isOfOther({ protocol }, packet)) return false
  if (protocol === 'ip') {
    if (field === 'protocol') return String(value) === packet.proto
    const prefix = isObject(value) && isObject(value.prefix) ? value.prefix : undefined
    const block = prefix === undefined ? String(value) : `${prefix.addr}/${prefix.len}`
    if (field === 'saddr') return addressIn(packet.saddr, block)
    return field === 'daddr' ? addressIn(packet.daddr, block) : undefined
  }
  if (protocol !== 'th' && protocol !== packet.proto) return undefined
  const range = isObject(value) && Array.isArray(value.range) ? value.range.join('-') : String(value)
  if (field === 'dport') return portIn(packet.dport, [range])
  return field === 'sport' ? portIn(packet.sport, [range]) : undefined
}

function isOfOther({ protocol }: Json, { proto }: Packet): boolean {
  return (
    ['ip6', 'icmp', 'icmpv6', 'udp', 'tcp', 'sctp', 'udplite'].includes(String(protocol)) &&
    protocol !== proto
  )
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
