/** The names of what DHCP counts. */

/** Counters, in the order of docs/protocol.md. */
export const counterNames = [
  'received',
  'malformed',
  'ignored',
  'ignored_reply',
  'ignored_not_ethernet',
  'ignored_not_netboot',
  'ignored_other_server',
  'ignored_no_pool',
  'ignored_no_address',
  'ignored_not_its_own',
  'ignored_wrong_type',
  'ignored_too_many',
  'discovers',
  'repeated',
  'offers',
  'requests',
  'acks',
  'naks',
  'declines',
  'releases',
  'informs',
  'boot_offers',
  'boot_replies',
  'refused',
  'conflicts',
  'recalled',
  'reclaimed',
  'exhausted',
] as const
/** One of them. */
export type CounterName = (typeof counterNames)[number]

/** Why a message is dropped that is well formed: `ignored` counts all of them, and each has a counter of its own. */
export type DropReason = CounterName extends infer Name
  ? Name extends `ignored_${infer Reason}`
    ? Reason
    : never
  : never
