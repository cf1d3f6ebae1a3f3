/** A site of the tests' own: the real server in a network namespace, and machines on taps of its bridge. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Daemon } from '../server/main/support.js'
import { NetbootSite } from '../server/netboot/support.js'
import { firmwareArgs, type Kind } from '../support/firmware.js'
import { type Machine, startMachine } from '../support/machine.js'
import { until } from '../support/processes.js'

/** The part of `/v1/status` that is looked at. */
export interface Status {
  readonly version: number
  readonly artifacts: readonly { readonly infohash: string; readonly size_bytes: number }[]
  readonly origin: {
    readonly boot_bytes: number
    readonly https_bytes: number
    readonly bittorrent_bytes: number
  }
  readonly netboot: {
    readonly dhcp_servers: readonly string[]
    readonly services: Readonly<Record<string, Readonly<Record<string, number>>>>
    readonly queue: { readonly completed: number; readonly loading: readonly string[] }
  }
}

/**
 * For the kernel of every machine. On a busy host a virtual timer comes too late for Linux, which takes that for a broken
 * mainboard and stops ("IO-APIC + timer doesn't work").
 */
export const kernelArgs = 'console=ttyS0 no_timer_check'

const neighbour = [
  'dnsmasq',
  '--no-daemon',
  '--port=0',
  '--user=root',
  '--pid-file=',
  '--conf-file=/dev/null',
]

/** The network with its server. */
export class Network {
  readonly place: NetbootSite
  #taps = 0

  readonly #leaseFile: string

  constructor(place: NetbootSite) {
    this.place = place
    this.#leaseFile = join(place.site.dir, 'dnsmasq.leases')
  }

  /** Makes it; `netboot` is the YAML of that section. Undefined without root. */
  static make(t: TestContext, netboot: string, extra = ''): Network | undefined {
    const place = NetbootSite.make(t, netboot, extra)
    return place === undefined ? undefined : new Network(place)
  }

  /** Waits until so many files are published. */
  published(daemon: Daemon, files: number): Promise<true> {
    return until(
      'all files to be published',
      async () => this.status(daemon).artifacts.length === files || undefined,
    )
  }

  status(daemon: Daemon): Status {
    return this.place.status(daemon) as unknown as Status
  }

  /**
   * A router as many sites have one: it announces itself by IPv6. Where nobody does, iPXE waits 16 s for it each time
   * that it sets up its network.
   */
  async router(t: TestContext): Promise<void> {
    this.#neighbour('router', 'fd77::1/64', '52:54:00:00:00:fa')
    await this.place.background(t, 'router', ...neighbour, '--enable-ra', '--dhcp-range=fd77::,ra-only,64')
  }

  /** dnsmasq as the DHCP server of the site: it gives addresses and knows of no network boot. */
  async siteDhcp(t: TestContext): Promise<void> {
    this.#neighbour('site', '10.77.0.2/24', '52:54:00:00:00:aa')
    const range = '--dhcp-range=10.77.0.100,10.77.0.150,1h'
    await this.place.background(t, 'site', ...neighbour, `--dhcp-leasefile=${this.#leaseFile}`, range)
  }

  /** The file of dnsmasq's leases. */
  siteLeases(): string {
    return readFileSync(this.#leaseFile, 'utf8')
  }

  /** Switches a machine on. */
  async machine(t: TestContext, kind: Kind, memoryMb?: number): Promise<Machine> {
    const { wire, site } = this.place
    const tap = `tap${this.#taps++}`
    wire.server('ip', 'tuntap', 'add', 'dev', tap, 'mode', 'tap')
    wire.server('ip', 'link', 'set', tap, 'master', 'lan0', 'up')
    return startMachine(t, {
      args: await firmwareArgs(t, kind, tap, site.dir),
      command: (...words) => wire.command('server', ...words),
      ...(memoryMb === undefined ? {} : { memoryMb }),
    })
  }

  #neighbour(name: string, address: string, mac: string): void {
    this.place.wire.client(name, mac)
    this.place.wire.run(
      name,
      'ip',
      'address',
      'add',
      address,
      'dev',
      'eth0',
      ...(address.includes(':') ? ['nodad'] : []),
    )
  }
}

/** `52:54:00:00:00:07` as the agent and the scripts name it. */
export function plainMac(mac: string): string {
  return mac.replaceAll(':', '')
}
