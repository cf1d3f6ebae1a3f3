/** Network interfaces for tests of what is decided by them. */
import { isIPv6 } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import type { HostInterface } from '../../host/interfaces.js'

/** An address as the system lists it; `cidr` is null where none is given. */
function addressInfo(text: string, internal = false): NetworkInterfaceInfo {
  const [address = '', prefix] = text.split('/')
  const common = { address, netmask: '', mac: '', internal, cidr: prefix === undefined ? null : text }
  return isIPv6(address) ? { ...common, family: 'IPv6', scopeid: 0 } : { ...common, family: 'IPv4' }
}

/** A network card. */
export function card(name: string, ...addresses: string[]): HostInterface {
  const infos = addresses.map((address) => addressInfo(address))
  return { name, addresses: infos, isLan: true, what: 'a network card' }
}

/** Something that no card belongs to. */
export function virtual(name: string, what: string, ...addresses: string[]): HostInterface {
  return { ...card(name, ...addresses), isLan: false, what }
}

/** `lo`. */
export const loopback: HostInterface = {
  name: 'lo',
  addresses: [addressInfo('127.0.0.1/8', true), addressInfo('::1/128', true)],
  isLan: false,
  what: 'the loopback interface',
}
