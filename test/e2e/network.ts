/** A site of the tests' own: the real server in a network namespace, and machines on taps of its bridge. */
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

/** Full mode: bootswarm gives the addresses. */
export const full =
  '{mode: full, interfaces: [lan0], pools: [{subnet: 10.77.0.0/24, range: 10.77.0.100-10.77.0.150}]}'
/** Proxy mode: {@link Network.siteDhcp} does. */
export const proxy = '{mode: proxy, interfaces: [lan0]}'

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

  constructor(place: NetbootSite) {
    this.place = place
  }

  /** Makes it; `netboot` is the YAML of that section. Undefined without root. */
  static make(t: TestContext, netboot: string, extra = ''): Network | undefined {
    const place = NetbootSite.make(t, netboot, extra)
    return place === undefined ? undefined : new Network(place)
  }

  /** Starts the server; resolves when it has published what lies in `artifacts/`. */
  async start(): Promise<Daemon> {
    const daemon = await this.place.start()
    await daemon.line('catalog.published')
    return daemon
  }

  status(daemon: Daemon): Status {
    return this.place.status(daemon) as unknown as Status
  }

  /**
   * A router as most sites have one: it announces itself by IPv6. Where nobody does, iPXE waits 16 s for it
   * (docs/boot-walkthrough.md), so one machine is enough to test that.
   */
  async router(t: TestContext): Promise<void> {
    this.#neighbour('router', 'fd77::1/64', '52:54:00:00:00:fa')
    await this.place.background(t, 'router', ...neighbour, '--enable-ra', '--dhcp-range=fd77::,ra-only,64')
  }

  /** dnsmasq as the DHCP server of the site: it gives addresses and knows of no network boot. */
  async siteDhcp(t: TestContext): Promise<void> {
    this.#neighbour('site', '10.77.0.2/24', '52:54:00:00:00:aa')
    const files = [`--dhcp-leasefile=${join(this.place.site.dir, 'dnsmasq.leases')}`]
    const range = '--dhcp-range=10.77.0.100,10.77.0.150,1h'
    await this.place.background(t, 'site', ...neighbour, ...files, range)
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

  /** Waits until so many machines have kernel and stage 1. */
  loaded(daemon: Daemon, machines: number, timeoutMs: number): Promise<Status> {
    return until(
      `${machines} machines to have kernel and stage 1`,
      async () => {
        const status = this.status(daemon)
        return status.netboot.queue.completed >= machines ? status : undefined
      },
      timeoutMs,
    )
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
