/** A site for the judges, without any I/O. */

import type { Site } from '../../doctor/check.js'
import { ipv4Subnet, parseIpv4 } from '../../src/ipv4.js'
import { parseConfig } from '../support/config.js'
import { card } from '../support/interfaces.js'

/** One interface `lan0` with 10.77.0.1/24, mode proxy, no server. `yaml` is the configuration. */
export function makeSite(yaml = '', more: Partial<Site> = {}): Site {
  const address = parseIpv4('10.77.0.1') ?? 0
  return {
    config: { ...parseConfig({ name: 'site.yaml', text: yaml }, []), address: '10.77.0.1' },
    mode: 'proxy',
    served: [{ name: 'lan0', address, subnet: ipv4Subnet(address, 24) }],
    only: undefined,
    interfaces: [card('lan0', '10.77.0.1')],
    server: undefined,
    largestRack: undefined,
    isRoot: true,
    timeoutMs: 1000,
    nowMs: Date.UTC(2026, 11, 1),
    ...more,
  }
}
