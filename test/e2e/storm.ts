/**
 * Four machines of four kinds at once on one slow uplink, up to a login in a Debian; then a fifth whose server is killed
 * in the middle.
 */
import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { TestContext } from 'node:test'
import type { Daemon, Line } from '../server/main/support.js'
import type { Kind } from '../support/firmware.js'
import { machineHangMs } from '../support/limits.js'
import type { Machine } from '../support/machine.js'
import { until, untilEqual } from '../support/processes.js'
import { makeBootFiles } from '../support/stage1.js'
import { addPlugins, agentPort, assertRedeemed, login, sizeOf } from './machines.js'
import { kernelArgs, Network, plainMac } from './network.js'

/** What the server's link carries. */
const uplink = ['rate', '40mbit', 'burst', '64kb', 'latency', '50ms']
const memoryMb = 1024

const kinds: readonly Kind[] = [
  { firmware: 'BIOS with an iPXE ROM', card: 'virtio-net-pci', mac: '52:54:00:00:00:01' },
  { firmware: 'BIOS with a plain PXE ROM', card: 'e1000e', mac: '52:54:00:00:00:02' },
  { firmware: 'UEFI PXE', card: 'virtio-net-pci', mac: '52:54:00:00:00:03' },
  { firmware: 'UEFI HTTP boot', card: 'virtio-net-pci', mac: '52:54:00:00:00:04' },
]
const orphan: Kind = { firmware: 'BIOS with an iPXE ROM', card: 'virtio-net-pci', mac: '52:54:00:00:00:05' }

/** A line of `node.boot.completed`. */
interface Completed extends Line {
  readonly node: string
  readonly data: {
    readonly seconds: number
    readonly from_peers_bytes: number
    readonly from_origin_bytes: number
  }
}

/** A site with a Debian on a slow link. */
export class Storm {
  readonly #network: Network
  readonly #daemon: Daemon
  readonly #machines: Machine[] = []
  /** Root file system and plugins, as they go over the wire. */
  readonly #payloadBytes: number
  readonly #bootBytes: number

  private constructor(network: Network, daemon: Daemon, payloadBytes: number, bootBytes: number) {
    this.#network = network
    this.#daemon = daemon
    this.#payloadBytes = payloadBytes
    this.#bootBytes = bootBytes
  }

  /** Makes it with this root file system; undefined without root. */
  static async make(t: TestContext, rootfs: string): Promise<Storm | undefined> {
    const pools = '[{subnet: 10.77.0.0/24, range: 10.77.0.100-10.77.0.150}]'
    const network = Network.make(
      t,
      `{mode: full, interfaces: [lan0], pools: ${pools}, kernel_args: '${kernelArgs} bootswarm.port=${agentPort}'}`,
      "settings: {POOL: 'pool.example:3333'}",
    )
    if (network === undefined) return undefined
    const { site, wire } = network.place
    const root = site.artifact(`rootfs/${basename(rootfs)}`)
    copyFileSync(rootfs, root)
    const plugins = addPlugins(network)
    await network.router(t)
    wire.server('tc', 'qdisc', 'add', 'dev', 'lan0', 'root', 'tbf', ...uplink)
    const daemon = await network.place.start('--log-level', 'debug')
    const { kernel, stage1 } = await makeBootFiles(site.data, site.artifact('boot'))
    await network.published(daemon, 5)
    return new Storm(network, daemon, sizeOf([root, ...plugins]), kernel.bytes + stage1.bytes)
  }

  /** A peer of all files that is gone: it takes every question and never answers. */
  deadPeer(): void {
    const { wire } = this.#network.place
    wire.client('dead', '52:54:00:00:00:dd')
    wire.run('dead', 'ip', 'address', 'add', '10.77.0.240/24', 'dev', 'eth0')
    const { http } = this.#daemon.ports()
    for (const { infohash } of this.#network.status(this.#daemon).artifacts) {
      if (infohash === '') continue
      const hash = infohash.replace(/../g, '%$&')
      const query = `info_hash=${hash}&peer_id=-BW0001-deadbeefdead&port=${agentPort}&uploaded=0&downloaded=0&left=0&compact=1`
      wire.run('dead', 'curl', '-sSf', `http://10.77.0.1:${http}/announce?${query}`)
    }
    // Its address stays, and so its answers to ARP; the way back does not.
    wire.run('dead', 'ip', 'route', 'del', '10.77.0.0/24', 'dev', 'eth0')
  }

  /** TCP segments that the dead peer was sent. */
  #askedDead(): number {
    const snmp = this.#network.place.wire.run('dead', 'grep', '^Tcp:', '/proc/net/snmp').trim().split('\n')
    const [names = [], values = []] = snmp.map((line) => line.split(' '))
    return Number(values[names.indexOf('InSegs')])
  }

  /** All four to a login. They live as long as `life`. */
  async four(life: TestContext, t: TestContext): Promise<void> {
    const beganMs = performance.now()
    const at = () => `${((performance.now() - beganMs) / 1000).toFixed(1)} s`
    const fromPeers: number[] = []
    this.deadPeer()
    const askedBefore = this.#askedDead()
    await Promise.all(
      kinds.map(async (kind) => {
        const machine = await this.#network.machine(life, kind, memoryMb)
        this.#machines.push(machine)
        const { data } = await this.#completed(kind)
        const { seconds, from_peers_bytes: peers, from_origin_bytes: origin } = data
        fromPeers.push(peers)
        t.diagnostic(
          `${kind.firmware}: root after ${at()} (the agent: ${seconds} s), ${peers} bytes from peers, ${origin} from the server`,
        )
        const said = await login(machine)
        t.diagnostic(`${kind.firmware}: login and all services after ${at()}: ${JSON.stringify(said)}`)
        assertWhole(said, kind)
      }),
    )
    await assertRedeemed(
      this.#daemon.dataDir,
      kinds.map(({ mac }) => mac),
    )
    // Who has loaded a file is counted once a second.
    await untilEqual(
      'all loads to be counted',
      () => {
        const { origin, netboot } = this.#network.status(this.#daemon)
        return { bootBytes: origin.boot_bytes, tftp: netboot.services.tftp?.completed }
      },
      { bootBytes: kinds.length * this.#bootBytes, tftp: 2 },
    )
    const { origin } = this.#network.status(this.#daemon)
    const { https_bytes, bittorrent_bytes } = origin
    const sent = https_bytes + bittorrent_bytes
    const copies = (sent / this.#payloadBytes).toFixed(2)
    t.diagnostic(`the server sent ${copies} copies of the payload (${sent} of ${this.#payloadBytes} bytes)`)
    assert.ok(sent < 2.5 * this.#payloadBytes, `${copies} copies`)
    // In the order of their completion: the first had nobody to ask.
    const later = fromPeers.slice(1)
    assert.ok(
      later.every((peers) => peers > this.#payloadBytes / 3),
      later.join(),
    )
    assert.ok(
      later.reduce((sum, peers) => sum + peers, 0) > (later.length * this.#payloadBytes) / 2,
      later.join(),
    )
    assert.ok(this.#askedDead() > askedBefore, 'somebody tried the dead peer')
  }

  /** One more machine; the server dies as soon as it has given the manifest away. */
  async orphan(t: TestContext): Promise<void> {
    const beganMs = performance.now()
    const at = () => `${((performance.now() - beganMs) / 1000).toFixed(1)} s`
    const machine = await this.#network.machine(t, orphan, memoryMb)
    const asked = ({ msg }: Line) =>
      msg.startsWith('GET /v1/manifest?') && decodeURIComponent(msg).includes(orphan.mac)
    await until('its manifest', async () => this.#daemon.lines.some(asked) || undefined, machineHangMs)
    await this.#daemon.kill('SIGKILL')
    const { wire } = this.#network.place
    await until(
      'its processes to be gone, and their ports',
      async () => wire.server('ss', '-Hlntu').trim() === '' || undefined,
    )
    t.diagnostic(`server killed after ${at()}`)
    assert.ok(!this.#daemon.lines.some(isCompletedOf(orphan)), 'it was not done before')
    const said = await login(machine)
    t.diagnostic(`login and all services after ${at()}: ${JSON.stringify(said)}`)
    assertWhole(said, orphan)
  }

  #completed(kind: Kind): Promise<Completed> {
    return until(
      `${kind.firmware} to have its root`,
      async () => this.#daemon.lines.find(isCompletedOf(kind)) as Completed | undefined,
      machineHangMs,
    ).catch((error: Error) => {
      const heard = this.#daemon.lines
        .flatMap(({ msg }) => (/^GET |^POST /.test(msg) ? [] : [msg]))
        .slice(-20)
      const consoles = this.#machines.map((machine) => machine.console().slice(-1500))
      throw new Error([error.message, ...heard, ...consoles].join('\n'))
    })
  }
}

function isCompletedOf({ mac }: Kind): (line: Line) => boolean {
  return (line) => line.event === 'node.boot.completed' && (line as Completed).node === mac
}

function assertWhole(said: Awaited<ReturnType<typeof login>>, { mac }: Kind): void {
  assert.deepEqual(said, {
    debian: '12',
    host: `node-${plainMac(mac)}`,
    init: 'systemd',
    root: 'tmpfs',
    agents: '1',
    listens: '1',
    miner: 'mining',
    module: '13',
    package: '1',
    service: 'mining',
    pool: 'pool.example:3333',
    marker: '0',
  })
}
