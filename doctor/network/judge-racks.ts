/** Whether a rack can be one switch. Pure. */

import { expandHostlist } from '../../src/hostlist.js'
import type { RackSize, Site } from '../check.js'
import { type Finding, finding } from '../finding.js'

/** Ports of the largest switches that racks have. */
const switchPortsMax = 48
const remedy =
  'tell the server which nodes share a switch: `racks` in the configuration, by nodes, relay_ids or subnets, and `behind` where one switch hangs behind another (docs/configuration.md, Racks)'

/** The largest rack that the running server knows, or that the configuration lists. */
export function judgeRacks({ config, largestRack }: Pick<Site, 'config' | 'largestRack'>): Finding[] {
  const largest = [largestRack, ...listed(config)].reduce((most, rack) =>
    rack !== undefined && rack.nodes > (most?.nodes ?? 0) ? rack : most,
  )
  if (largest === undefined || largest.nodes <= switchPortsMax) return []
  const { name, nodes } = largest
  const isNamed = [
    ...config.racks.map((rack) => rack.name),
    ...config.nodes.map(({ rack }) => rack),
  ].includes(name)
  const what = `${nodes} nodes count as one rack, ${name}`
  const why = `switches have ${switchPortsMax} ports at most, and between nodes of one rack nothing spares the links between switches`
  return isNamed
    ? [finding('RACK_TOO_LARGE', `${what}: ${why}`, remedy, 'note')]
    : [finding('RACK_TOO_LARGE', `${what}, for they share a subnet: ${why}`, remedy)]
}

/** A rack may have several entries. */
function listed({ racks }: Site['config']): RackSize[] {
  const sizes = new Map<string, number>()
  for (const { name, nodes } of racks) {
    if (nodes !== undefined) sizes.set(name, (sizes.get(name) ?? 0) + expandHostlist(nodes).length)
  }
  return [...sizes].map(([name, nodes]) => ({ name, nodes }))
}
