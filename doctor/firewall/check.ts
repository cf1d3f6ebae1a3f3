/** The checks of the local firewall: reads its rules and follows our packets through them. */

import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { makeCheck, type Site } from '../check.js'
import { readIptables } from './iptables.js'
import { type FirewallFacts, judgeFirewall } from './judge.js'
import type { RuleTable } from './model.js'
import { readNft, ruleTexts } from './nft.js'

const title = 'the firewall of this machine'
const listingMs = 10_000
const listingBytesMax = 64 * 1024 * 1024

export const firewallCheck = makeCheck<FirewallFacts>({
  name: 'firewall',
  title,
  gather,
  judge: judgeFirewall,
})

async function gather({ isRoot, served }: Site) {
  if (!isRoot) {
    const isUfw = /^ENABLED=yes/m.test(await readFile('/etc/ufw/ufw.conf', 'utf8').catch(() => ''))
    return { facts: undefined, leftOut: [`${title}: needs root${isUfw ? ' (ufw is enabled)' : ''}`] }
  }
  const filteredBridges = await bridgesIn(served.map(({ name }) => name))
  const [json, listing, saved, legacy] = await Promise.all([
    output('nft', '-j', 'list', 'ruleset'),
    output('nft', '-a', 'list', 'ruleset'),
    output('iptables-save'),
    output('iptables-legacy-save'),
  ])
  if (json === undefined && saved === undefined) {
    if (!(await hasRules()))
      return { facts: { tables: [], manager: undefined, filteredBridges }, leftOut: [] }
    return { facts: undefined, leftOut: [`${title}: needs nft (sudo apt-get install -y nftables)`] }
  }
  const ruleset: unknown = json === undefined || json === '' ? {} : JSON.parse(json)
  const tables: RuleTable[] = [
    ...readNft(ruleset, ruleTexts(listing ?? ''), saved === undefined),
    ...readIptables(saved ?? ''),
    // Both kinds of iptables may be there at once; where it is the only one, the listings are the same.
    ...(legacy === undefined || legacy === saved ? [] : readIptables(legacy)),
  ]
  return { facts: { tables, manager: managerOf(`${json}${saved}`), filteredBridges }, leftOut: [] }
}

function managerOf(listings: string): FirewallFacts['manager'] {
  if (/"name": ?"firewalld"/.test(listings)) return 'firewalld'
  return /ufw-before-input/.test(listings) ? 'ufw' : undefined
}

/** Those that are bridges, where br_netfilter is on. */
async function bridgesIn(names: readonly string[]): Promise<string[]> {
  const isOn = await readFile('/proc/sys/net/bridge/bridge-nf-call-iptables', 'latin1').catch(() => '0')
  if (isOn.trim() !== '1') return []
  const found = await Promise.all(
    names.map((name) =>
      stat(`/sys/class/net/${name}/bridge`).then(
        () => [name],
        () => [],
      ),
    ),
  )
  return found.flat()
}

/** Whether the kernel filters at all: without nft's own program its rules are not seen. */
async function hasRules(): Promise<boolean> {
  const modules = await readFile('/proc/modules', 'latin1').catch(() => '')
  return /^(nf_tables|ip_tables) \S+ [1-9]/m.test(modules)
}

/** Undefined where there is no such program, or it fails. */
async function output(program: string, ...args: string[]): Promise<string | undefined> {
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`
  try {
    const options = { timeout: listingMs, maxBuffer: listingBytesMax, env: { ...process.env, PATH: path } }
    return (await promisify(execFile)(program, args, options)).stdout
  } catch {
    return undefined
  }
}
