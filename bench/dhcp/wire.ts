/** A link between a DHCP server and its clients: two network namespaces and a veth pair. */
import { execFileSync } from 'node:child_process'
import { removeNamespaces } from '../storm/network.js'
import { NAMESPACE_PREFIX } from '../storm/plan.js'

/** Its addresses. Each client of a run is new: the pool has room for all. */
export const benchWire = {
  device: 'wire0',
  server: '10.77.0.1',
  client: '10.77.255.254',
  subnet: '10.77.0.0/16',
  first: '10.77.1.0',
  last: '10.77.250.255',
} as const

/** The namespaces. */
export interface Wire {
  readonly server: string
  readonly client: string
  remove(): void
}

/** Makes it anew; what an earlier bench left is the caller's to remove. */
export function makeWire(): Wire {
  const server = `${NAMESPACE_PREFIX}${process.pid}d-server`
  const client = `${NAMESPACE_PREFIX}${process.pid}d-client`
  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const wire: Wire = { server, client, remove: () => removeNamespaces([server, client]) }
  try {
    for (const name of [server, client]) {
      ip('netns', 'add', name)
      ip('-n', name, 'link', 'set', 'lo', 'up')
    }
    const pair = [
      'link',
      'add',
      'name',
      benchWire.device,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      client,
    ]
    ip('-n', server, ...pair)
    for (const [name, device, address] of [
      [server, benchWire.device, benchWire.server],
      [client, 'eth0', benchWire.client],
    ] as const) {
      ip('-n', name, 'address', 'add', `${address}/16`, 'dev', device)
      ip('-n', name, 'link', 'set', device, 'up')
    }
    return wire
  } catch (error) {
    wire.remove()
    throw error
  }
}
