/** The site of a siege: that of a storm with network boot, an attacker on the wire, and a small disk for the server's data. */
import { mkdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Host, SERVER_ADDRESS } from '../storm/plan.js'
import { seeded } from '../storm/random.js'
import { type StormServer, startServer } from '../storm/server.js'
import { evenFarm } from '../storm/storm-options.js'
import { buildSite, type Site } from '../storm/storm-site.js'
import type { Undo } from '../storm/undo.js'
import { ADDRESSES_MAX } from './attacks.js'
import { insideMachine, treeBytes } from './disk.js'
import type { SiegeOptions } from './siege-options.js'
import type { Target } from './target.js'

/** The kernel is a quarter of what stage 1 is, as in a real site. */
const kernelShare = 1 / 4
/** Of the boot program, as large as iPXE's. */
const programBytes = 250_000
/** An old file counts as finished at once. */
const oldS = 1_767_225_600
/** What the server may write beside what it has at its start. */
const diskSpareBytes = 64e6
/** Kernel, stage 1 and payload. */
const artifacts = 3
/** Enough leases for each invented machine of some seconds, outside all racks. */
const pool = { subnet: '10.77.0.0/16', range: '10.77.200.0-10.77.203.255' }
const kernelName = 'vmlinuz-siege'

/** The site and what can be started on it. */
export interface SiegeSite extends Site {
  readonly attacker: Host
  /** Starts a server that knows the artifacts and nobody else, on a disk of its own. */
  start(): Promise<StormServer>
  /** What an attacker is told. */
  target(server: StormServer, addresses: number, lastS: number): Promise<Target>
}

/**
 * Builds the site.
 * @throws {BootswarmError} STORM_UNSUPPORTED, STORM_FAILED
 */
export async function buildSiegeSite(
  options: SiegeOptions,
  undo: Undo,
  say: (line: string) => void,
): Promise<SiegeSite> {
  const shape = { format: 'tar', slowShare: 0, corrupt: 0 } as const
  const others = { count: 1, addresses: ADDRESSES_MAX }
  const site = await buildSite(
    { ...options, ...evenFarm(options.nodes, options.rackSize), ...shape, others },
    undo,
    say,
  )
  const { directory, plan, payload } = site
  const [attacker] = plan.others
  if (attacker === undefined) throw new RangeError('a site without an attacker')
  makeBootFiles(directory, options.stage1Bytes, options.seed)
  const netboot = { mode: 'full', interfaces: ['eth0'], ipxe_dir: join(directory, 'ipxe'), pools: [pool] }
  // The first one hashes all; those that are attacked begin with a copy of what it knows.
  const first = await startServer(directory, plan, { config: { netboot }, artifacts })
  await first.kill()
  const [data, known] = [join(directory, 'data'), join(directory, 'known')]
  renameSync(data, known)
  mkdirSync(data)
  const through = insideMachine(data, known, treeBytes(known) + diskSpareBytes)
  const server = { config: { netboot }, artifacts, through, trustDir: join(known, 'trust') }
  return {
    ...site,
    attacker,
    start: () => startServer(directory, plan, server),
    target: async (running, addresses, lastS) => {
      const { infohash, path } = await running.artifact()
      return {
        server: SERVER_ADDRESS,
        addresses: [attacker.address, ...attacker.aliases].slice(0, addresses),
        nodes: plan.nodes.map(({ id, mac, address }) => ({ id, mac, address })),
        ...{ infohash, payloadBytes: payload.bytes, payloadFile: payload.file },
        ...{ artifactPath: path, bootPath: `/boot/${kernelName}`, lastS },
      }
    },
  }
}

/** Kernel, stage 1 and boot program, of random bytes: nobody starts them. */
function makeBootFiles(directory: string, stage1Bytes: number, seed: number): void {
  const random = seeded(seed + 2)
  const write = (folder: string, name: string, size: number) => {
    mkdirSync(folder, { recursive: true })
    const words = new Uint32Array(Math.ceil(size / 4))
    for (let at = 0; at < words.length; at += 1) words[at] = random() * 2 ** 32
    writeFileSync(join(folder, name), Buffer.from(words.buffer))
    utimesSync(join(folder, name), oldS, oldS)
  }
  const boot = join(directory, 'artifacts', 'boot')
  write(boot, kernelName, Math.ceil(stage1Bytes * kernelShare))
  write(boot, 'stage1-siege.img', stage1Bytes)
  write(join(directory, 'ipxe', 'x64'), 'snponly.efi', programBytes)
}
