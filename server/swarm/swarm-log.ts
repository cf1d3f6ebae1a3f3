/** How the swarm's services log: they know no logger. */

/** One line of a service's log: a stable event name and scalar facts. */
export type SwarmLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  event: string,
  data: Record<string, string | number | boolean>,
) => void
