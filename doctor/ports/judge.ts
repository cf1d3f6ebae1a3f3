/** From listeners to findings: whose are our ports? Pure. */

import type { Site } from '../check.js'
import { type Finding, finding } from '../finding.js'
import { type ExpectedPort, expectedPorts } from './expected.js'
import type { Holder, Listener } from './sockets.js'

/** What was seen. */
export interface PortFacts {
  readonly listeners: readonly Listener[]
  /** By inode; missing where only root may know. */
  readonly holders: ReadonlyMap<number, Holder>
  /** The server and its child processes. */
  readonly ours: ReadonlySet<number>
  /** Network boot is wanted, and the running server does without. */
  readonly isNetbootMissing: boolean
}

type PortSite = Pick<Site, 'config' | 'mode' | 'served' | 'server'>

/** All about ports. */
export function judgePorts(facts: PortFacts, site: PortSite): Finding[] {
  const wanted = facts.isNetbootMissing ? { ...site, mode: 'proxy' as const } : site
  const findings = expectedPorts(wanted).flatMap((expected) => judgePort(expected, facts, site))
  const isTaken = findings.some(({ code }) => code === 'PORT_TAKEN')
  return [...whether(facts, site, isTaken), ...findings]
}

/** Whether the server runs, and its network boot. */
function whether(
  { isNetbootMissing }: PortFacts,
  { config, server, mode }: PortSite,
  isTaken: boolean,
): Finding[] {
  if (server === undefined) {
    const seen = `no server runs on ${config.data_dir}: what it would answer was not tested`
    return [finding('SERVER_NOT_RUNNING', seen, 'start it (sudo ./bootswarm) and run the doctor again')]
  }
  if (isNetbootMissing) {
    if (isTaken) return []
    return [
      finding(
        'NETBOOT_NOT_ALLOWED',
        'the server runs without network boot: it could not open UDP ports 67, 69 and 4011',
        'start it as root (sudo ./bootswarm; it does not stay root), or see docs/ports.md',
      ),
    ]
  }
  if (mode !== 'off') return []
  return [
    finding(
      'NETBOOT_OFF',
      'netboot.mode is off: another server tells machines what to boot',
      'nothing, if that is intended',
    ),
  ]
}

function judgePort(expected: ExpectedPort, facts: PortFacts, { server }: PortSite): Finding[] {
  const { proto, port, what, isVital } = expected
  const name = `${proto.toUpperCase()} port ${port} (${what})`
  const there = facts.listeners.filter((listener) => isInTheWay(listener, expected))
  const foreign = there.filter(({ inode }) => {
    const holder = facts.holders.get(inode)
    // Without root a running server's own sockets cannot be told from others.
    return holder === undefined ? server === undefined : !facts.ours.has(holder.pid)
  })
  const [first] = foreign
  if (first !== undefined) {
    const { seen, remedy } = tellHolder(first, facts.holders.get(first.inode))
    const severity = isVital ? 'stops' : 'hurts'
    const or = expected.key === 'netboot.mode' ? '' : `, or set ${expected.key}`
    return [finding('PORT_TAKEN', `${name} belongs to ${seen}`, `${remedy}${or}`, severity)]
  }
  if (server === undefined || there.length > 0 || facts.isNetbootMissing) return []
  const seen = `the server runs, but no process listens on ${name}`
  return [
    finding('PORT_NOT_OPEN', seen, 'see the log of the server for the reason', isVital ? 'stops' : 'hurts'),
  ]
}

function isInTheWay(listener: Listener, { proto, port, addresses }: ExpectedPort): boolean {
  if (listener.proto !== proto || listener.port !== port) return false
  const isAll = listener.address === '0.0.0.0' || listener.address === '::'
  return isAll || addresses.length === 0 || addresses.includes(listener.address)
}

function tellHolder(
  { address, uid }: Listener,
  holder: Holder | undefined,
): { seen: string; remedy: string } {
  if (holder === undefined) {
    return {
      seen: `a process of user id ${uid} (at ${address}); only root can see which`,
      remedy: 'sudo ss -lnptu names it: end it',
    }
  }
  const { name, pid, unit } = holder
  const seen = `${name}, process ${pid}${unit === '' ? '' : ` of ${unit}`} (at ${address})`
  return { seen, remedy: unit === '' ? `end it: kill ${pid}` : `sudo systemctl disable --now ${unit}` }
}
