/** The checks of ports: does the server have them, and if not, which program does. */

import { readdir } from 'node:fs/promises'
import { makeCheck, type Site } from '../check.js'
import { expectedPorts } from './expected.js'
import { judgePorts, type PortFacts } from './judge.js'
import { describe, findHolders, type Holder, readListeners } from './sockets.js'

export const portsCheck = makeCheck<PortFacts>({
  name: 'ports',
  title: 'who has the ports',
  gather,
  judge: judgePorts,
})

async function gather(site: Site) {
  const ports = new Set(expectedPorts({ ...site, mode: 'proxy' }).map(({ port }) => port))
  const listeners = (await readListeners()).filter(({ port }) => ports.has(port))
  const holders = await findHolders(new Set(listeners.map(({ inode }) => inode)))
  const isUnknown = listeners.some(({ inode }) => !holders.has(inode))
  const leftOut =
    isUnknown && site.server !== undefined ? ['whether the ports are the server’s own: needs root'] : []
  const isNetbootMissing =
    site.server !== undefined && site.mode === 'off' && site.config.netboot.mode !== 'off'
  const ours = site.server === undefined ? new Set<number>() : await familyOf(site.server.pid)
  return { facts: { listeners, holders, ours, isNetbootMissing }, leftOut }
}

/** A process and all that come from it. */
async function familyOf(pid: number): Promise<Set<number>> {
  const names = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name))
  const all = (await Promise.all(names.map((name) => describe(Number(name))))).filter(
    (holder): holder is Holder => holder !== undefined,
  )
  const family = new Set([pid])
  for (let before = 0; before < family.size; ) {
    before = family.size
    for (const { pid: child, parent } of all) if (family.has(parent)) family.add(child)
  }
  return family
}
