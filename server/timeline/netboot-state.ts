/** How far a machine has come in network boot, from the types of its events. Pure. */

/**
 * In the order of a boot. `dhcp`: it asks for an address and a boot program; `program`: it loads one, or runs it; `script`: it
 * asked for its boot script; `queue`: it waits for its turn; `loading`: it may load kernel and stage 1; `starting`: it has both,
 * and its agent has not reported.
 */
export const netbootStates = ['dhcp', 'program', 'script', 'queue', 'loading', 'starting'] as const
/** One of them. */
export type NetbootState = (typeof netbootStates)[number]

const states: Readonly<Record<string, NetbootState>> = {
  'program.sent': 'program',
  'program.broken-off': 'program',
  'program.refused': 'program',
  'script.asked': 'script',
  'script.refused': 'script',
  'queue.waiting': 'queue',
  'queue.turn': 'loading',
  'kernel.sent': 'loading',
  'kernel.broken-off': 'loading',
  'stage1.sent': 'starting',
  'stage1.broken-off': 'loading',
}

/** The state after an event. DHCP changes none: iPXE and stage 1 ask for an address too. */
export function afterFact(state: NetbootState, type: string): NetbootState {
  return states[type] ?? state
}
