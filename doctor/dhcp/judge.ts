/** From what came back on the LAN to findings. Pure. */

import { inSubnet, ipv4Subnet, parseIpv4 } from '../../src/ipv4.js'
import type { Site } from '../check.js'
import { type Finding, finding } from '../finding.js'
import type { Answers } from './ask.js'
import { type ClientKind, clientKinds, clients } from './kinds.js'
import type { Offer } from './offer.js'

/** What came back, and who we are. */
export interface DhcpFacts extends Pick<Answers, 'offers' | 'bootAnswers'> {
  /** Interfaces that were asked on, with our address there. */
  readonly asked: readonly { readonly name: string; readonly address: string }[]
  /** A server of ours should answer: it runs, and its network boot too. */
  readonly isServing: boolean
  readonly timeoutMs: number
}

const bootKinds = clientKinds.filter((kind) => kind !== 'linux')

/** All about DHCP. */
export function judgeDhcp(
  facts: DhcpFacts,
  { mode, interfaces }: Pick<Site, 'mode' | 'interfaces'>,
): Finding[] {
  const local = new Set(interfaces.flatMap(({ addresses }) => addresses.map(({ address }) => address)))
  return facts.asked.flatMap(({ name, address }) => {
    const here = facts.offers.filter((offer) => offer.interface === name)
    const others = here.filter((offer) => !isOurs(offer, local, mode))
    const ours = here.filter((offer) => isOurs(offer, local, mode))
    const bootAnswers = facts.bootAnswers.filter((offer) => offer.interface === name)
    return [
      ...givers(others, ours, name, mode, facts),
      ...reach(others, address),
      ...others.filter(isBrokenPxe).filter(onePerServer()).map(brokenPxe),
      ...rivals(others),
      ...relays(others),
      ...(facts.isServing ? silence(ours, bootAnswers, name, mode, facts.timeoutMs) : []),
    ]
  })
}

/** Another server may run on this very machine, at our address: what it says to load tells it from us. */
function isOurs(
  { server, file, kind, yiaddr }: Offer,
  local: ReadonlySet<string>,
  mode: Site['mode'],
): boolean {
  if (!local.has(server)) return false
  if (kind === 'linux') return mode === 'full'
  if (mode !== 'full' && yiaddr !== '') return false
  return /^(bios|x64|arm64)\/[a-z]+\.(kpxe|efi)$/.test(file) || /^http:\/\/[^/]+\/v1\/ipxe\//.test(file)
}

function givers(
  others: readonly Offer[],
  ours: readonly Offer[],
  name: string,
  mode: Site['mode'],
  { isServing, timeoutMs }: DhcpFacts,
): Finding[] {
  const servers = unique(others.filter(({ yiaddr }) => yiaddr !== '').map(({ server }) => server))
  const list = servers.join(', ')
  if (mode === 'full') {
    if (servers.length === 0) return []
    return [
      finding(
        'DHCP_RIVAL',
        `${name}: netboot.mode is full, and ${list} gives addresses too: a machine that takes an address from it does not boot`,
        `switch the DHCP server of ${list} off, or set netboot.mode: proxy`,
      ),
    ]
  }
  if (servers.length === 0) {
    if (ours.some(({ yiaddr }) => yiaddr !== '')) return []
    const doing = isServing
      ? 'bootswarm only says what to boot (netboot.mode is proxy)'
      : 'and bootswarm would not offer any'
    return [
      finding(
        'DHCP_NO_ADDRESSES',
        `${name}: no server offered an address within ${timeoutMs / 1000} s; ${doing}`,
        'start the DHCP server of this network, or let bootswarm give the addresses: netboot.mode: full (docs/configuration.md)',
      ),
    ]
  }
  if (servers.length === 1) {
    const example = others.find(({ yiaddr }) => yiaddr !== '')?.yiaddr ?? ''
    const seen = `${name}: addresses come from ${list} (it offered ${example})`
    return [finding('DHCP_SITE_SERVER', seen, 'nothing, if that is the DHCP server of your site')]
  }
  return [
    finding(
      'DHCP_SEVERAL_SERVERS',
      `${name}: ${servers.length} servers give addresses: ${list}. Unless they share their leases, two machines may get the same address`,
      `find the one that does not belong here by its Ethernet address (ip neigh show ${servers.at(-1)}) and the switch's table, and switch it off`,
    ),
  ]
}

/** Machines that cannot reach us get an address and nothing else. */
function reach(others: readonly Offer[], address: string): Finding[] {
  const own = parseIpv4(address)
  return others.filter(onePerServer()).flatMap(({ server, yiaddr, subnetMask, router }) => {
    const given = parseIpv4(yiaddr)
    const mask = parseIpv4(subnetMask)
    if (own === undefined || given === undefined || mask === undefined) return []
    const prefix = mask.toString(2).replace(/0+$/, '').length
    if (inSubnet(ipv4Subnet(given, mask === 0 ? 0 : prefix), own)) return []
    const seen = `${server} offers ${yiaddr}/${mask === 0 ? 0 : prefix}, a subnet without this server's address ${address}`
    return router === ''
      ? [
          finding(
            'DHCP_ADDRESS_UNREACHABLE',
            `${seen}, and names no router`,
            `give this server an address in that subnet, or a router to ${server}`,
          ),
        ]
      : [
          finding(
            'DHCP_ADDRESS_UNREACHABLE',
            `${seen}; the route leads through ${router}`,
            `make sure that ${router} forwards to ${address}, or give this server an address in that subnet`,
            'note',
          ),
        ]
  })
}

/** UEFI takes such an offer for a whole PXE answer, looks for boot servers in it, and drops ours. */
function isBrokenPxe({ kind, vendorClass, vendorSpecific, yiaddr }: Offer): boolean {
  return (
    kind.startsWith('uefi') && yiaddr !== '' && vendorClass.startsWith('PXEClient') && vendorSpecific === ''
  )
}

function brokenPxe({ server, interface: name }: Offer): Finding {
  return finding(
    'DHCP_PXECLIENT_WITHOUT_43',
    `${name}: ${server} gives addresses and sends “PXEClient” (option 60) without option 43: UEFI machines take it for a boot server and fail, whatever bootswarm sends`,
    `remove option 60 (vendor class identifier) from the DHCP server ${server}; dnsmasq: the lines dhcp-option=60 or vendor-class; Windows: option 060 of server and scope`,
  )
}

/** Other servers that say what to boot. */
function rivals(others: readonly Offer[]): Finding[] {
  const naming = others.filter(
    ({ kind, file, tftpServer, vendorClass, vendorSpecific }) =>
      kind !== 'linux' &&
      (file !== '' || tftpServer !== '' || (vendorClass.startsWith('PXEClient') && vendorSpecific !== '')),
  )
  return unique(naming.map(({ server }) => server)).map((server) => {
    const all = naming.filter((offer) => offer.server === server)
    const [first] = all
    const kinds = unique(all.map(({ kind }) => clients[kind].title)).join(', ')
    const files = unique(all.map(({ file }) => file).filter((file) => file !== '')).slice(0, 3)
    const from = first?.tftpServer || first?.siaddr || server
    // With option 60 it is a whole PXE answer: firmware takes the first it gets. Without, most prefer a proxy's.
    const isWhole = all.some(({ vendorClass }) => /^(PXE|HTTP)Client/.test(vendorClass))
    const what = files.length === 0 ? `the boot server ${from}` : `“${files.join('”, “')}” from ${from}`
    return finding(
      'DHCP_RIVAL_BOOT',
      `${first?.interface}: ${server} tells ${kinds} to load ${what}`,
      `remove next-server, filename, and options 43, 60, 66 and 67 from the DHCP server ${server}; dnsmasq: dhcp-boot and pxe-service`,
      isWhole ? 'stops' : 'hurts',
    )
  })
}

function relays(others: readonly Offer[]): Finding[] {
  return others
    .filter(({ giaddr, from, server }) => giaddr !== '' || from !== server)
    .filter(onePerServer())
    .map(({ server, giaddr, from, interface: name }) =>
      finding(
        'DHCP_RELAY',
        `${name}: the offers of ${server} come through the relay ${giaddr || from}`,
        'nothing, if that is intended; machines of this network need no relay to bootswarm',
      ),
    )
}

/** Clients that we did not answer, though we should. */
function silence(
  ours: readonly Offer[],
  bootAnswers: readonly Offer[],
  name: string,
  mode: Site['mode'],
  timeoutMs: number,
): Finding[] {
  const expected: readonly ClientKind[] = mode === 'full' ? clientKinds : bootKinds
  const missing = expected.filter((kind) => !ours.some((offer) => offer.kind === kind))
  const findings: Finding[] = []
  if (missing.length > 0) {
    const what =
      missing.length === expected.length
        ? 'answered no client'
        : `did not answer ${missing.map((kind) => clients[kind].title).join(', ')}`
    findings.push(
      finding(
        'DHCP_OWN_SILENT',
        `${name}: bootswarm runs, but ${what} within ${timeoutMs / 1000} s`,
        'see the other findings (firewall, ports), netboot.interfaces, and the log: npm start -- --log-level debug',
      ),
    )
  }
  if (!bootAnswers.some(({ file }) => file !== '')) {
    findings.push(
      finding(
        'BOOT_SERVER_SILENT',
        `${name}: no answer at UDP port 4011, where UEFI asks for its boot program`,
        'see the other findings (firewall, ports) and the log',
      ),
    )
  }
  return findings
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)]
}

/** A filter that lets the first offer of each server pass. */
function onePerServer(): (offer: Offer) => boolean {
  const known = new Set<string>()
  return ({ server }) => !known.has(server) && known.add(server) !== undefined
}
