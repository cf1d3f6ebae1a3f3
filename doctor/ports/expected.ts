/** The ports that the server listens on, by its configuration (docs/ports.md). Pure. */

import { formatIpv4 } from '../../src/ipv4.js'
import type { Site } from '../check.js'

/** A port of ours. */
export interface ExpectedPort {
  readonly proto: 'udp' | 'tcp'
  readonly port: number
  /** What stops working without it. */
  readonly what: string
  /** The configuration's key. */
  readonly key: string
  /** Nodes cannot boot without it. */
  readonly isVital: boolean
  /** Where it is opened; empty: everywhere. */
  readonly addresses: readonly string[]
}

/** All of them; those that are 0 (any free one) only where a server runs and tells. */
export function expectedPorts({
  config,
  mode,
  served,
  server,
}: Pick<Site, 'config' | 'mode' | 'served' | 'server'>): ExpectedPort[] {
  const ports = server?.ports
  const own = [...new Set(served.map(({ address }) => formatIpv4(address)))]
  const bound = config.bind === '0.0.0.0' || config.bind === '::' ? [] : [config.bind]
  const netboot = (port: number, what: string, addresses: readonly string[]): ExpectedPort => ({
    proto: 'udp',
    port,
    what,
    key: 'netboot.mode',
    isVital: true,
    addresses,
  })
  const other = (
    proto: 'udp' | 'tcp',
    port: number,
    what: string,
    key: string,
    isVital: boolean,
  ): ExpectedPort => ({
    proto,
    port,
    what,
    key,
    isVital,
    addresses: bound,
  })
  const all = [
    ...(mode === 'off'
      ? []
      : [
          // DHCP's broadcasts come in at all addresses: no other program may have the port on any address.
          netboot(67, 'DHCP', []),
          netboot(69, 'TFTP', own),
          netboot(4011, 'the boot server of PXE', own),
        ]),
    other('tcp', ports?.http ?? config.http.port, 'HTTP: iPXE, tracker', 'http.port', true),
    other('tcp', ports?.https ?? config.https.port, 'HTTPS: manifests', 'https.port', true),
    other('tcp', ports?.seeder ?? config.seeder.port, 'the BitTorrent seeder', 'seeder.port', false),
    ...(config.operators.enabled
      ? [
          other(
            'tcp',
            ports?.operators ?? config.operators.port,
            "the operators' API",
            'operators.port',
            false,
          ),
        ]
      : []),
    ...(config.dht.enabled
      ? [other('udp', ports?.dht ?? config.dht.port, 'the DHT node', 'dht.port', false)]
      : []),
  ]
  return all.filter(({ port }) => port > 0)
}
