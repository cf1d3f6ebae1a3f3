/** From the rules of the local firewall to findings: what of ours do they drop? Pure. */

import { formatIpv4 } from '../../src/ipv4.js'
import type { Site } from '../check.js'
import { type Finding, finding } from '../finding.js'
import { expectedPorts } from '../ports/expected.js'
import { type Fate, followPacket, type Packet, type RuleTable } from './model.js'

/** What was read. */
export interface FirewallFacts {
  readonly tables: readonly RuleTable[]
  /** Which program keeps the rules. */
  readonly manager: 'ufw' | 'firewalld' | undefined
  /** Bridges whose traffic goes through these rules too (br_netfilter). */
  readonly filteredBridges: readonly string[]
}

type FirewallSite = Pick<Site, 'config' | 'mode' | 'served' | 'server'>

type BadFate = Exclude<Fate, { kind: 'passes' }>

/** A packet of ours, by its name for people. */
interface Named {
  readonly packet: Packet
  readonly what: string
}

/** Ports of a transfer of TFTP: both sides take free ones. */
const transferPort = 40_000
const firmwarePort = 2070
const everybody = '255.255.255.255'

/** Judges the local firewall: one finding for what one command fixes. */
export function judgeFirewall(facts: FirewallFacts, site: FirewallSite): Finding[] {
  return [...judgeOwn(facts, site), ...judgeBridges(facts)]
}

function judgeOwn({ tables, manager }: FirewallFacts, site: FirewallSite): Finding[] {
  const groups = new Map<string, { fate: BadFate; named: Named[]; by: Set<string> }>()
  for (const named of ourPackets(site)) {
    const fate = followPacket(tables, named.packet)
    if (fate.kind === 'passes') continue
    const key = [fate.kind, fate.tool, named.packet.iface, named.packet.direction, named.packet.proto].join(
      ' ',
    )
    const group = groups.get(key) ?? { fate, named: [], by: new Set() }
    group.named.push(named)
    group.by.add(fate.by)
    groups.set(key, group)
  }
  return [...groups.values()].map(({ fate, named, by }) => {
    const packets = named.map(({ packet }) => packet)
    const { iface = '', direction = 'in' } = packets[0] ?? {}
    const list = named.map(({ what }) => what).join(', ')
    const verb = fate.kind === 'drops' ? 'drops' : 'may drop'
    const what = `${direction === 'in' ? 'incoming' : 'outgoing'} packets on ${iface}`
    const seen = `the firewall of this machine ${verb} ${what}: ${list}. By: ${[...by].join('; ')}`
    const code = fate.kind === 'drops' ? 'FIREWALL_DROPS' : 'FIREWALL_MAY_DROP'
    return finding(code, seen, allow(packets, fate, manager))
  })
}

/** What two machines on a bridge of ours send each other: Docker sets the policy of FORWARD to DROP. */
function judgeBridges({ tables, filteredBridges }: FirewallFacts): Finding[] {
  return filteredBridges.flatMap((iface) => {
    const offer: Packet = {
      direction: 'forward',
      proto: 'udp',
      sport: 67,
      dport: 68,
      saddr: '0.0.0.0',
      daddr: everybody,
      iface,
      state: 'new',
      isBroadcast: true,
    }
    const fate = followPacket(tables, offer)
    if (fate.kind === 'passes') return []
    const seen = `packets between machines on the bridge ${iface} pass through the firewall of this machine, which ${fate.kind === 'drops' ? 'drops' : 'may drop'} them: DHCP, peers. By: ${fate.by}`
    return [
      finding(
        'BRIDGE_FILTERED',
        seen,
        `sudo iptables -I FORWARD -i ${iface} -o ${iface} -j ACCEPT, or sudo sysctl -w net.bridge.bridge-nf-call-iptables=0`,
      ),
    ]
  })
}

/** One packet of each kind that nodes and server send each other. */
function ourPackets(site: FirewallSite): Named[] {
  return site.served.flatMap(({ name: iface, address, subnet }) => {
    const own = formatIpv4(address)
    // Any other machine of the subnet.
    const node = formatIpv4(address === subnet.network + 1 ? address + 1 : address - 1)
    const base = { iface, sport: undefined, isBroadcast: false, state: 'new' as const }
    const from = (packet: Partial<Packet> & Pick<Packet, 'proto' | 'dport'>): Packet => ({
      ...base,
      direction: 'in',
      saddr: node,
      daddr: own,
      ...packet,
    })
    const to = (packet: Partial<Packet> & Pick<Packet, 'proto' | 'dport'>): Packet => ({
      ...base,
      direction: 'out',
      saddr: own,
      daddr: node,
      ...packet,
    })
    const broadcast = { proto: 'udp', isBroadcast: true, daddr: everybody } as const
    const transfer = { proto: 'udp' } as const
    // A firewall that keeps the farm from the operators' API does what it should.
    const opened = expectedPorts(site).filter(({ key }) => key !== 'operators.port')
    const ports = opened.map(({ proto, port, what }): Named => {
      const text = `${proto.toUpperCase()} ${port} (${what})`
      const packet =
        port === 67
          ? from({ ...broadcast, dport: port, sport: 68, saddr: '0.0.0.0' })
          : from({ proto, dport: port })
      return { packet, what: text }
    })
    const replies = opened
      .filter(({ proto }) => proto === 'tcp')
      .map(({ port, what }) => ({
        packet: to({ proto: 'tcp', sport: port, dport: transferPort, state: 'established' }),
        what: `replies of TCP ${port} (${what})`,
      }))
    if (site.mode === 'off') return [...ports, ...replies]
    return [
      ...ports,
      ...replies,
      {
        packet: from({ ...transfer, sport: firmwarePort, dport: transferPort, state: 'established' }),
        what: 'UDP, any port (acknowledgements of TFTP)',
      },
      { packet: to({ ...broadcast, sport: 67, dport: 68 }), what: 'UDP 68 (DHCP replies)' },
      {
        packet: to({ ...transfer, sport: transferPort, dport: firmwarePort }),
        what: 'UDP, any port (TFTP)',
      },
    ]
  })
}

/** The command that lets them pass. */
function allow(packets: readonly Packet[], fate: BadFate, manager: FirewallFacts['manager']): string {
  const [{ iface, direction, proto } = { iface: '', direction: 'in', proto: 'udp' }] = packets
  const isTransfer = packets.some(({ dport }) => dport === transferPort || dport === firmwarePort)
  const ports = [...new Set(packets.map(({ dport }) => dport))].sort((a, b) => a - b)
  if (manager === 'ufw' && direction === 'in') {
    if (isTransfer) return `sudo ufw allow in on ${iface} proto udp to any`
    return `sudo ufw allow in on ${iface} proto ${proto} to any port ${ports.join(',')}`
  }
  if (manager === 'firewalld' && direction === 'in') {
    return `sudo firewall-cmd --permanent --zone=trusted --change-interface=${iface} && sudo firewall-cmd --reload, if only nodes are on ${iface}`
  }
  const isIn = direction === 'in'
  if (fate.tool === 'iptables') {
    const which = isTransfer ? '' : ` -m multiport --dports ${ports.join(',')}`
    return `sudo iptables -I ${isIn ? 'INPUT -i' : 'OUTPUT -o'} ${iface} -p ${proto}${which} -j ACCEPT`
  }
  const [family = 'inet', table = 'filter', chain = isIn ? 'input' : 'output'] = fate.by.split(/[ :]+/)
  const which = isTransfer ? `meta l4proto ${proto}` : `${proto} dport { ${ports.join(', ')} }`
  return `sudo nft insert rule ${family} ${table} ${chain} ${isIn ? 'iifname' : 'oifname'} ${iface} ${which} accept, and the same in /etc/nftables.conf`
}
