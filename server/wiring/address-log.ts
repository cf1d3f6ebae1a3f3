/** Says in the log that the addresses of this machine have changed, and where nodes boot from now. */
import { formatIpPort, isLoopback } from '../../src/net.js'
import type { AddressState } from '../process/addresses.js'
import type { Logger } from '../process/log.js'
import type { OpenPorts } from './parts.js'

/** Listens to the addresses. */
export function addressLog(log: Logger, ports: Readonly<OpenPorts>) {
  return (now: AddressState, before: AddressState): void => {
    const came = now.all.filter((address) => !before.all.includes(address))
    const gone = before.all.filter((address) => !now.all.includes(address))
    if (came.length + gone.length === 0) return
    const changes = [
      ...(came.length > 0 ? [`has got ${came.join(', ')}`] : []),
      ...(gone.length > 0 ? [`has lost ${gone.join(', ')}`] : []),
    ]
    log.info(
      { event: 'server.addresses-changed', came, gone, address: now.address },
      `This machine ${changes.join(' and ')}. ${bootsFrom(now.address, ports.https)}`,
    )
  }
}

/** The sentence for people. */
export function bootsFrom(address: string, httpsPort: number): string {
  return isLoopback(address)
    ? 'Nodes can boot when a network interface has an address.'
    : `Nodes boot from https://${formatIpPort(address, httpsPort)}.`
}
