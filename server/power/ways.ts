/** How a node is reached for what an operator wants of it. Pure. */
import { fillIn, type PowerConfig, parseHost } from '../../src/config-power.js'
import type { ActionKind } from './action-run.js'

/** What is known of a node. */
export interface PowerNode {
  readonly id: string
  readonly name: string
  /** MACs of its network cards, first that of the one that it booted by. */
  readonly macs: readonly string[]
  /** It last spoke from; empty: it never has. */
  readonly address: string
  readonly power: PowerConfig | undefined
}

/** Who asks a controller. */
export interface Account {
  readonly user: string
  readonly passwordFile: string
}

/** A controller (BMC) that speaks IPMI. */
export interface IpmiTarget extends Account {
  readonly host: string
  readonly port: number
}

/** A controller that speaks Redfish. */
export interface RedfishTarget extends Account {
  readonly url: string
  readonly caFile: string | undefined
  /** SHA-256 of its certificate, lower-case hex. */
  readonly fingerprint: string | undefined
}

/** One way. */
export type Way =
  | { readonly kind: 'command'; readonly argv: readonly string[] }
  | { readonly kind: 'ipmi'; readonly target: IpmiTarget }
  | { readonly kind: 'redfish'; readonly target: RedfishTarget }
  | { readonly kind: 'wake-on-lan'; readonly macs: readonly string[] }

/** @throws Error whose message says what is missing */
export function wayOf(action: ActionKind, node: PowerNode): Way {
  const controlled = node.power && controlOf(action, node, node.power)
  if (controlled !== undefined) return controlled
  if (action === 'reboot')
    throw new Error(
      'nothing says how it is rebooted: set `power` in its profile or in `nodes` (docs/power.md)',
    )
  const { macs } = node
  if (macs.length === 0)
    throw new Error('its MAC address is not known: it has to boot once, or name it by its MAC address')
  return { kind: 'wake-on-lan', macs }
}

/** By what is configured; undefined: a command that does not tell actions apart reboots, and wakes nothing. */
function controlOf(action: ActionKind, node: PowerNode, power: PowerConfig): Way | undefined {
  const { id, name, macs, address } = node
  const values = { id, name, action, mac: macs[0], address: address === '' ? undefined : address }
  const { command, ipmi, redfish } = power
  if (ipmi !== undefined) {
    const host = parseHost(fillIn(ipmi.host, values))
    if (host === undefined)
      throw new Error(`power.ipmi.host is no address for it: ${fillIn(ipmi.host, values)}`)
    return { kind: 'ipmi', target: { ...host, user: ipmi.user, passwordFile: ipmi.password_file } }
  }
  if (redfish !== undefined) {
    const { user, password_file: passwordFile, ca: caFile, fingerprint } = redfish
    const url = fillIn(redfish.url, values)
    return { kind: 'redfish', target: { url, user, passwordFile, caFile, fingerprint } }
  }
  const words = command ?? []
  if (action === 'wake' && !words.some((word) => word.includes('{action}'))) return undefined
  return { kind: 'command', argv: words.map((word) => fillIn(word, values)) }
}
