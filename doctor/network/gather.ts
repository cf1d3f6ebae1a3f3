/** Reads the interfaces from /sys and /proc, and listens for spanning trees and for who else has our address. */

import { spawn } from 'node:child_process'
import { readdir, readFile, stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { onPath } from '../../host/tools.js'
import { formatIpv4 } from '../../src/ipv4.js'
import type { Gathered, Site } from '../check.js'
import type { BpduFacts, DuplicateFacts, LinkFacts, NetworkFacts, RouteFacts } from './facts.js'

const root = '/sys/class/net'
/** Ports of a bridge that are listened on. */
const listenedMax = 4
/** How long a neighbour may take to say that an address is its own. */
const arpingS = 2
/** States of a bridge's port (linux/if_bridge.h); 0 is disabled, 3 forwarding. */
const heldStates: Readonly<Record<string, string>> = { '1': 'listening', '2': 'learning', '4': 'blocking' }

/** All about the network of this machine. */
export async function gatherNetwork(site: Site): Promise<Gathered<NetworkFacts>> {
  const { config, only, served, interfaces } = site
  const named = only === undefined ? config.netboot.interfaces : [only]
  const names = [...new Set([...named, ...served.map(({ name }) => name)])]
  const leftOut: string[] = []
  const all = await Promise.all(names.map(readLink))
  // Containers may see the host's /sys and interfaces of their own.
  const links = all.filter(({ name, exists }) => exists || !interfaces.some((own) => own.name === name))
  if (links.length < all.length) leftOut.push('links and bridges: /sys shows another network namespace')
  const listened = links.flatMap(({ name, ports, exists }) =>
    !exists ? [] : ports.length > 0 ? ports : [name],
  )
  const [bpdus, duplicates] = await Promise.all([
    hearBpdus(listened.slice(0, listenedMax), site, leftOut),
    findDuplicates(site, leftOut),
  ])
  const rpFilter = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await rpFilterOf(name)])),
  )
  const routes = parseRoutes(await readFile('/proc/net/route', 'latin1').catch(() => ''))
  return { facts: { links, bpdus, duplicates, routes, rpFilter }, leftOut }
}

async function readLink(name: string): Promise<LinkFacts> {
  const at = `${root}/${name}`
  const text = (file: string) =>
    readFile(`${at}/${file}`, 'latin1').then(
      (read) => read.trim(),
      () => '',
    )
  const exists = await stat(at).then(
    () => true,
    () => false,
  )
  const isBridge = await stat(`${at}/bridge`).then(
    () => true,
    () => false,
  )
  const ports = await readdir(`${at}/brif`).catch(async () =>
    (await text('bonding/slaves')).split(' ').filter((word) => word !== ''),
  )
  const states = await Promise.all(ports.map(async (port) => heldState(port)))
  const counter = async (file: string) => Number(await text(`statistics/${file}`))
  const speed = Number(await text('speed'))
  const duplex = await text('duplex')
  return {
    name,
    exists,
    isBridge,
    ports,
    hasCarrier: (await text('carrier')) === '1',
    mtu: Number(await text('mtu')),
    speedMbit: speed > 0 ? speed : undefined,
    duplex: duplex === 'full' || duplex === 'half' ? duplex : undefined,
    errors: (await counter('rx_errors')) + (await counter('tx_errors')),
    packets: (await counter('rx_packets')) + (await counter('tx_packets')),
    stp: isBridge
      ? {
          isOn: (await text('bridge/stp_state')) !== '0',
          // In hundredths of a second.
          forwardDelayMs: Number(await text('bridge/forward_delay')) * 10,
        }
      : undefined,
    heldPorts: states.filter((state) => state !== ''),
  }
}

async function heldState(port: string): Promise<string> {
  const state = (await readFile(`${root}/${port}/brport/state`, 'latin1').catch(() => '')).trim()
  return heldStates[state] === undefined ? '' : `${port} is ${heldStates[state]}`
}

/** The stricter of the interface’s own value and that of all counts (Linux: ip-sysctl.rst). */
async function rpFilterOf(name: string): Promise<number> {
  const values = await Promise.all(
    ['all', name].map((which) =>
      readFile(`/proc/sys/net/ipv4/conf/${which}/rp_filter`, 'latin1').catch(() => '0'),
    ),
  )
  return Math.max(...values.map(Number))
}

/** Reads /proc/net/route. */
export function parseRoutes(text: string): RouteFacts[] {
  const number = (hex: string) => Buffer.from(hex, 'hex').readUInt32LE()
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [name, network, , flags, , , , mask] = line.split('\t')
      const isUp = (Number.parseInt(flags ?? '0', 16) & 1) === 1
      if (name === undefined || network?.length !== 8 || mask?.length !== 8 || !isUp) return []
      return [{ interface: name, network: number(network), mask: number(mask) }]
    })
}

/** Spanning tree of IEEE 802.1D and Cisco’s own. Node has no raw sockets: tcpdump listens, and ends with the first. */
async function hearBpdus(
  names: readonly string[],
  { isRoot, timeoutMs }: Site,
  leftOut: string[],
): Promise<BpduFacts[]> {
  const title = 'spanning tree of the switch'
  if (!isRoot || !onPath('tcpdump')) {
    leftOut.push(`${title}: needs ${isRoot ? 'tcpdump (sudo apt-get install -y tcpdump)' : 'root'}`)
    return []
  }
  const filter = 'ether dst 01:80:c2:00:00:00 or ether dst 01:00:0c:cc:cc:cd'
  const found = await Promise.all(
    names.map(async (name) => {
      const args = ['-i', name, '-Q', 'in', '-nn', '-e', '-v', '-c', '1', '-l', filter]
      // When its time is over it prints an empty line.
      const lines = (await linesOf('tcpdump', args, timeoutMs)).filter((line) => line.trim() !== '')
      return lines.length === 0 ? [] : [{ interface: name, text: lines.join(' ').replace(/\s+/g, ' ') }]
    }),
  )
  return found.flat()
}

/** Probes by ARP, with sender address 0.0.0.0 (RFC 5227), whether another host has our address. */
async function findDuplicates(
  { served, isRoot, timeoutMs }: Site,
  leftOut: string[],
): Promise<DuplicateFacts[]> {
  const title = 'whether another host has this server’s address'
  if (!isRoot || !onPath('busybox')) {
    leftOut.push(`${title}: needs ${isRoot ? 'busybox (sudo apt-get install -y busybox)' : 'root'}`)
    return []
  }
  const found = await Promise.all(
    served.map(async ({ name, address }) => {
      const own = formatIpv4(address)
      const args = ['arping', '-D', '-f', '-c', '2', '-w', String(arpingS), '-I', name, own]
      const lines = await linesOf('busybox', args, Math.min(timeoutMs, arpingS * 1000))
      const mac = lines
        .map((line) => /reply from \S+ \[([0-9a-f:]{17})\]/i.exec(line)?.[1])
        .find((one) => one !== undefined)
      return mac === undefined ? [] : [{ interface: name, address: own, mac }]
    }),
  )
  return found.flat()
}

/** What a program prints until it ends or its time is over. */
function linesOf(program: string, args: readonly string[], timeoutMs: number): Promise<string[]> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], timeout: timeoutMs })
    const lines: string[] = []
    createInterface(child.stdout).on('line', (line) => {
      if (lines.length < 100) lines.push(line.replace(/[^\x20-\x7e]/g, ' '))
    })
    child.on('error', () => resolve([]))
    child.on('close', () => resolve(lines))
  })
}
