/** Collects what all checks start from: the configuration, the interfaces, and whether a server runs. */

import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import { readInterfaces } from '../host/interfaces.js'
import { makeDhcpSite } from '../server/netboot/dhcp-site.js'
import { mayOpenLowPorts } from '../server/netboot/low-ports.js'
import type { Ports } from '../server/process/ports-file.js'
import type { Config } from '../src/config.js'
import { formatUrlHost } from '../src/net.js'
import type { RackSize, Site } from './check.js'

const statusMs = 3_000

/** How the doctor was called. */
export interface SiteOptions {
  readonly config: Config
  readonly only: string | undefined
  readonly timeoutMs: number
}

/** Reads them; asks a running server for its mode of network boot and its largest rack. */
export async function surveySite({ config, only, timeoutMs }: SiteOptions): Promise<Site> {
  const interfaces = readInterfaces()
  const server = runningServer(config.data_dir)
  const running = server === undefined ? undefined : await readStatus(config, server.ports.http)
  const wanted = config.netboot.mode === 'auto' ? 'proxy' : config.netboot.mode
  const mode = running?.mode ?? wanted
  const netboot = only === undefined ? config.netboot : { ...config.netboot, interfaces: [only] }
  return {
    config,
    mode,
    served: makeDhcpSite(netboot, mode === 'full' ? 'full' : 'proxy', interfaces, {
      httpPort: config.http.port,
    }).interfaces,
    only,
    interfaces,
    server,
    largestRack: running?.largestRack,
    isRoot: process.getuid?.() === 0 && mayOpenLowPorts(),
    timeoutMs,
    nowMs: Date.now(),
  }
}

/** The server that wrote `run/ports.json`, if it lives. */
function runningServer(dataDir: string): Site['server'] {
  try {
    const { pid, ...ports } = JSON.parse(
      readFileSync(join(dataDir, 'run', 'ports.json'), 'utf8'),
    ) as Ports & {
      pid: number
    }
    if (!Number.isInteger(pid) || !isAlive(pid)) return undefined
    return { pid, ports }
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** What the checks take from the server's own status. */
interface Running {
  readonly mode: Site['mode'] | undefined
  readonly largestRack: RackSize | undefined
}

/** As the server itself says; nothing if it does not answer. */
async function readStatus({ bind }: Config, port: number): Promise<Running> {
  const host = bind === '0.0.0.0' ? '127.0.0.1' : bind === '::' ? '::1' : bind
  try {
    const url = `http://${isIPv6(host) ? formatUrlHost(host) : host}:${port}/v1/status`
    const answer = await fetch(url, { signal: AbortSignal.timeout(statusMs) })
    return statusFacts(await answer.json())
  } catch {
    return statusFacts(undefined)
  }
}

/** An older server does not tell all of it. */
function statusFacts(status: unknown): Running {
  const { netboot, largest_rack: rack } = (status ?? {}) as Record<
    string,
    Record<string, unknown> | undefined
  >
  const mode = netboot?.mode
  const { name, nodes } = rack ?? {}
  return {
    mode: mode === 'proxy' || mode === 'full' || mode === 'off' ? mode : undefined,
    largestRack: typeof name === 'string' && typeof nodes === 'number' ? { name, nodes } : undefined,
  }
}
