/** How a node is reached for what an operator wants of it. Pure. */
import { fillCommand, knowsAction, type PowerConfig } from '../../src/config-power.js'
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

/** One way. */
export type Way =
  | { readonly kind: 'command'; readonly argv: readonly string[] }
  | { readonly kind: 'wake-on-lan'; readonly macs: readonly string[] }

/** @throws Error whose message says what is missing */
export function wayOf(action: ActionKind, node: PowerNode): Way {
  const { id, name, macs, address, power } = node
  if (power !== undefined && (action !== 'wake' || knowsAction(power))) {
    const values = { id, name, action, mac: macs[0], address: address === '' ? undefined : address }
    return { kind: 'command', argv: fillCommand(power, values) }
  }
  if (action === 'reboot')
    throw new Error(
      'nothing says how it is rebooted: set `power` in its profile or in `nodes` (docs/power.md)',
    )
  if (macs.length === 0)
    throw new Error('its MAC address is not known: it has to boot once, or name it by its MAC address')
  return { kind: 'wake-on-lan', macs }
}
