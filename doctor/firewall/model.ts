/**
 * A packet's way through chains of rules, whatever tool wrote them. What a rule asks that is not known here counts as
 * unknown, never as yes or no: then the answer may be `maybe`. Pure.
 */

/** A packet as far as rules ask for it. */
export interface Packet {
  /** `forward`: through a bridge, in and out by `iface`. */
  readonly direction: 'in' | 'out' | 'forward'
  readonly proto: 'udp' | 'tcp'
  /** Undefined: any. */
  readonly sport: number | undefined
  readonly dport: number
  /** IPv4. */
  readonly saddr: string
  readonly daddr: string
  /** Where it comes in or goes out. */
  readonly iface: string
  readonly state: 'new' | 'established'
  readonly isBroadcast: boolean
}

/** Whether a packet is meant; undefined: not known. */
export type Match = (packet: Packet) => boolean | undefined

/** What happens to a packet that is meant; `none`: nothing, such as counting. */
export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'return' | 'none' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }

/** A rule. */
export interface Rule {
  readonly matches: readonly Match[]
  /** By packet, for verdict maps; undefined: not known. */
  readonly verdict: (packet: Packet) => Verdict | undefined
  /** As its tool prints it. */
  readonly text: string
}

/** A chain that packets go through by themselves. */
export interface BaseChain {
  readonly name: string
  readonly direction: 'in' | 'out' | 'forward'
  readonly policy: 'accept' | 'drop'
  /** As its tool prints it. */
  readonly text: string
  readonly tool: 'nft' | 'iptables'
}

/** Chains that belong together: jumps stay within. */
export interface RuleTable {
  readonly bases: readonly BaseChain[]
  readonly chains: ReadonlyMap<string, readonly Rule[]>
}

/** What becomes of a packet; `by` is the rule (or policy) that drops it or may. */
export type Fate =
  | { readonly kind: 'passes' }
  | { readonly kind: 'drops' | 'maybe'; readonly by: string; readonly tool: BaseChain['tool'] }

/** Deeper jumps are not followed: the kernel allows 16. */
const depthMax = 16

/** Follows a packet through all tables: it must be let through by each. */
export function followPacket(tables: readonly RuleTable[], packet: Packet): Fate {
  let worst: Fate = { kind: 'passes' }
  for (const table of tables) {
    for (const base of table.bases.filter(({ direction }) => direction === packet.direction)) {
      const fate = throughBase(table, base, packet)
      if (fate.kind === 'drops') return fate
      if (fate.kind === 'maybe' && worst.kind === 'passes') worst = fate
    }
  }
  return worst
}

function throughBase(table: RuleTable, base: BaseChain, packet: Packet): Fate {
  const walk = new Walk(table, packet)
  const end = walk.chain(base.name, 0)
  const { tool } = base
  if (end?.kind === 'drop' || (end?.kind !== 'accept' && base.policy === 'drop')) {
    const by = end?.kind === 'drop' ? end.by : base.text
    return { kind: walk.mayPass ? 'maybe' : 'drops', by, tool }
  }
  return walk.mayDrop === undefined ? { kind: 'passes' } : { kind: 'maybe', by: walk.mayDrop, tool }
}

interface End {
  readonly kind: 'accept' | 'drop'
  readonly by: string
}

/** One packet in one table. */
class Walk {
  /** A rule before might have let it pass. */
  mayPass = false
  /** A rule before might have dropped it. */
  mayDrop: string | undefined
  readonly #table: RuleTable
  readonly #packet: Packet

  constructor(table: RuleTable, packet: Packet) {
    this.#table = table
    this.#packet = packet
  }

  /** Its end in this chain; undefined: it comes out at the end. */
  chain(name: string, depth: number): End | undefined {
    if (depth > depthMax) return undefined
    for (const rule of this.#table.chains.get(name) ?? []) {
      const meant = all(rule.matches, this.#packet)
      if (meant === false) continue
      const verdict = rule.verdict(this.#packet)
      if (verdict === undefined) {
        this.mayPass = true
        this.mayDrop ??= rule.text
        continue
      }
      if (verdict.kind === 'none') continue
      if (verdict.kind === 'return') {
        if (meant) return undefined
        continue
      }
      const end =
        verdict.kind === 'jump' || verdict.kind === 'goto'
          ? this.chain(verdict.chain, depth + 1)
          : { kind: verdict.kind, by: rule.text }
      if (meant) {
        if (end !== undefined) return end
        if (verdict.kind === 'goto') return undefined
      } else if (end?.kind === 'accept') this.mayPass = true
      else if (end?.kind === 'drop') this.mayDrop ??= end.by
    }
    return undefined
  }
}

function all(matches: readonly Match[], packet: Packet): boolean | undefined {
  let known = true
  for (const match of matches) {
    const answer = match(packet)
    if (answer === false) return false
    if (answer === undefined) known = false
  }
  return known ? true : undefined
}
