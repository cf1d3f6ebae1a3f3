/** The checks of DHCP: who answers machines that want to boot on this LAN. */

import { BootswarmError } from '../../src/errors.js'
import { formatIpv4 } from '../../src/ipv4.js'
import { makeCheck, type Site } from '../check.js'
import { askLan } from './ask.js'
import { type DhcpFacts, judgeDhcp } from './judge.js'

const title = 'who answers DHCP on the LAN'

export const dhcpCheck = makeCheck<DhcpFacts>({ name: 'dhcp', title, gather, judge: judgeDhcp })

async function gather({ served, server, mode, timeoutMs }: Site) {
  const without = (why: string) => ({ facts: undefined, leftOut: [`${title}: ${why}`] })
  if (served.length === 0) return without('no interface to ask on')
  try {
    const { failed, ...answers } = await askLan(served, timeoutMs)
    const facts = {
      ...answers,
      asked: served
        .filter(({ name }) => failed[name] === undefined)
        .map(({ name, address }) => ({ name, address: formatIpv4(address) })),
      isServing: server !== undefined && mode !== 'off',
      timeoutMs,
    }
    const leftOut = Object.entries(failed).map(([name, why]) => `${title}, ${name}: ${why}`)
    return { facts, leftOut }
  } catch (error) {
    if (!(error instanceof BootswarmError)) throw error
    if (error.code === 'NETBOOT_NOT_ALLOWED') return without('needs root (UDP port 68)')
    return without(
      error.code === 'ADDRESS_IN_USE' ? 'another program keeps UDP port 68 for itself' : error.message,
    )
  }
}
