/** The DHCP servers that `npm run bench:dhcp` measures, each with the same pool of addresses. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cpuSeconds, startService, stop } from '../agent/measure.js'
import { inside } from '../storm/network.js'
import { commandOf, processTree, treeCpuSeconds } from '../storm/process-tree.js'
import { benchWire } from './wire.js'

/** A server that runs. */
export interface DhcpServer {
  /** Processor time of the process that answers, and of it with all that belong to it, seconds. */
  cost(): { answering: number; all: number }
  stop(): Promise<void>
}

/** A kind of server: starts one in an empty directory, in a namespace. */
export interface DhcpContestant {
  readonly name: string
  start(namespace: string, directory: string): Promise<DhcpServer>
}

const serverMain = fileURLToPath(new URL('../../server/main.js', import.meta.url))
const tlsConfig = fileURLToPath(new URL('../../../server/process/openssl.cnf', import.meta.url))

/** The real daemon in mode full: leases in SQLite; an address is checked by ARP before it is given for the first time. */
export const bootswarm: DhcpContestant = {
  name: 'bootswarm',
  async start(namespace, directory) {
    const artifacts = join(directory, 'artifacts')
    for (const folder of ['rootfs', 'plugins', 'boot'])
      mkdirSync(join(artifacts, folder), { recursive: true })
    const config = join(directory, 'bootswarm.yaml')
    const pool = `{subnet: ${benchWire.subnet}, range: ${benchWire.first}-${benchWire.last}}`
    writeFileSync(
      config,
      `netboot: {mode: full, interfaces: [${benchWire.device}], lease_s: 3600, pools: [${pool}]}\n`,
    )
    const flags = ['--config', config, '--data-dir', join(directory, 'data'), '--artifacts-dir', artifacts]
    const node = [process.execPath, `--openssl-config=${tlsConfig}`, serverMain, ...flags]
    const [program, args] = inside(namespace, [
      ...node,
      '--address',
      benchWire.server,
      '--user',
      'root',
      '--log-format',
      'json',
    ])
    const child = await startService(program, args, /"server\.ready"/)
    const pid = child.pid ?? 0
    const netboot = processTree(pid).find((id) => commandOf(id).includes('netboot-process')) ?? pid
    return {
      cost: () => ({ answering: cpuSeconds(netboot), all: treeCpuSeconds(pid) }),
      stop: () => stop(child),
    }
  },
}

/** Kea as Debian packages it, leases in its own file. It does not check whether an address is in use. */
export const kea: DhcpContestant = {
  name: 'Kea',
  async start(namespace, directory) {
    const config = join(directory, 'kea.json')
    const dhcp4 = {
      'interfaces-config': { interfaces: [benchWire.device], 'dhcp-socket-type': 'udp' },
      'lease-database': { type: 'memfile', persist: true, name: join(directory, 'leases.csv') },
      'valid-lifetime': 3600,
      subnet4: [{ subnet: benchWire.subnet, pools: [{ pool: `${benchWire.first} - ${benchWire.last}` }] }],
      loggers: [{ name: 'kea-dhcp4', severity: 'INFO', output_options: [{ output: 'stdout' }] }],
    }
    writeFileSync(config, JSON.stringify({ Dhcp4: dhcp4 }))
    const places = [`KEA_PIDFILE_DIR=${directory}`, `KEA_LOCKFILE_DIR=${directory}`]
    const [program, args] = inside(namespace, ['env', ...places, 'kea-dhcp4', '-c', config])
    const child = await startService(program, args, /DHCP4_STARTED/)
    const seconds = () => treeCpuSeconds(child.pid ?? 0)
    return { cost: () => ({ answering: seconds(), all: seconds() }), stop: () => stop(child) }
  },
}
