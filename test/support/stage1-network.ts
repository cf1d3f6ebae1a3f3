/**
 * Stage 1's own network scripts on their own busybox, as /init runs them, without a machine: in a root directory and in
 * namespaces of their own for mounts, network and host name. DHCP comes from dnsmasq on the other side of the cable.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { busyboxFromSource } from '../../image/busybox.js'
import { defaultMirror, defaultSuite } from '../../image/debian.js'
import { machineHangMs } from './limits.js'
import { end, until } from './processes.js'
import { checkout, scratch } from './scratch.js'
import { Wire } from './wire.js'

/** A network card of a node: its address, and the bridge at the other end of its cable. */
export interface Card {
  readonly mac: string
  readonly bridge: string
}

/** What a node has when its network is up. */
export interface Up {
  /** All that it said on the console. */
  readonly said: string
  readonly card: string
  readonly addresses: string
  readonly routes: string
  readonly mtu: number
  readonly links: string
  /** Goes on to the root file system. */
  readonly lease: string
  readonly hostname: string
}

/** A node whose network comes up. */
export interface Stage1Node {
  says(what: RegExp): Promise<true>
  up(): Promise<Up>
}

/** What /init does up to the network, and then a look at what came of it. `veth` has no device below it. */
const drive = `
PATH=/bin:/sbin
export PATH
/bin/busybox --install -s /bin
. /lib/bootswarm/words
. /lib/bootswarm/address
. /lib/bootswarm/network
cards() { for path in /sys/class/net/eth*; do echo "\${path##*/}"; done; }
load_drivers() { :; }
read_words
consoles=stdout
until network_up; do rescue; done
echo "=card $card"
echo "=addresses $(ip address show dev "$card" | grep 'inet ' | tr -s ' ')"
echo "=routes $(ip route | tr -s ' ')"
echo "=mtu $(cat "/sys/class/net/$card/mtu")"
echo "=links $(for link in $(cards); do echo "$link $(cat "/sys/class/net/$link/flags")"; done)"
echo "=lease $(cat /run/lease 2>/dev/null)"
echo "=hostname $(hostname)"
echo "=end"
`

/** A server's network with bridges, and nodes on them. */
export class Stage1Network {
  readonly wire: Wire
  readonly #t: TestContext
  readonly #busybox: string
  #nodes = 0

  private constructor(t: TestContext, wire: Wire, busybox: string) {
    this.#t = t
    this.wire = wire
    this.#busybox = busybox
  }

  /** Makes it, with the server's address 10.77.0.1/24 on the bridge `lan0`; undefined without root. */
  static async make(t: TestContext): Promise<Stage1Network | undefined> {
    const wire = Wire.make(t)
    if (wire === undefined) return undefined
    const source = {
      suite: defaultSuite,
      mirror: defaultMirror,
      architecture: 'amd64',
      cacheDir: join(checkout, '.cache'),
    }
    const { data } = await busyboxFromSource(source, join(checkout, 'image', 'stage1', 'busybox.config'))
    const busybox = join(scratch(t), 'busybox')
    writeFileSync(busybox, data, { mode: 0o755 })
    return new Stage1Network(t, wire, busybox)
  }

  /** Another bridge with an address of the server's. */
  bridge(name: string, address: string): void {
    this.wire.server('ip', 'link', 'add', name, 'type', 'bridge', 'forward_delay', '0')
    this.wire.server('ip', 'link', 'set', name, 'up')
    this.wire.server('ip', 'address', 'add', address, 'dev', name)
  }

  /** A DHCP server on a bridge that leases one address; it runs when this returns. */
  async dhcp(bridge: string, address: string, ...options: string[]): Promise<ChildProcess> {
    const [program = '', ...args] = this.wire.command(
      'server',
      ...['setpriv', '--pdeathsig', 'KILL', 'dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null'],
      ...['--port=0', '--user=root', '--log-facility=-', '--pid-file=', '--dhcp-leasefile=/dev/null'],
      ...['--no-ping', '--dhcp-authoritative', `--interface=${bridge}`, '--bind-interfaces'],
      ...[`--dhcp-range=${address},${address},255.255.255.0,1h`],
      ...options.map((option) => `--dhcp-option-force=${option}`),
    )
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#t.after(() => end(child, 'SIGKILL'))
    let said = ''
    let closed = false
    child.stderr.on('data', (part: Buffer) => {
      said += part.toString()
    })
    child.once('close', () => {
      closed = true
    })
    await until('dnsmasq', async () => {
      if (closed) throw new Error(`dnsmasq ended: ${said}`)
      return said.includes('DHCP, IP range') || undefined
    })
    return child
  }

  /** Switches a node on. `cards` become eth0, eth1, ...; the server's ends of their cables are `cable0`, `cable1`, .... */
  node(cmdline: string, cards: readonly Card[], prepare: () => void = () => {}): Stage1Node {
    const name = `node${this.#nodes++}`
    const namespace = this.wire.bare(name)
    for (const [at, { mac, bridge }] of cards.entries()) {
      const cable = `cable${at}`
      const peer = ['peer', 'name', `eth${at}`, 'address', mac, 'netns', namespace]
      this.wire.server('ip', 'link', 'add', cable, 'type', 'veth', ...peer)
      this.wire.server('ip', 'link', 'set', cable, 'master', bridge, 'up')
    }
    prepare()
    const root = scratch(this.#t)
    for (const dir of ['bin', 'lib', 'proc', 'sys', 'dev', 'run', 'tmp']) mkdirSync(join(root, dir))
    copyFileSync(this.#busybox, join(root, 'bin/busybox'))
    cpSync(join(checkout, 'image', 'stage1'), join(root, 'lib/bootswarm'), { recursive: true })
    writeFileSync(join(root, 'cmdline'), cmdline)
    writeFileSync(join(root, 'drive'), drive)
    // Through `cat`: its end of the pipe can be opened by name, as a console is; what this process gives is a socket.
    const enter = [
      'mount -t tmpfs run "$0/run" && mount -t proc proc "$0/proc" && mount --bind "$0/cmdline" "$0/proc/cmdline"',
      'mount -t sysfs sysfs "$0/sys" && mount -t tmpfs dev "$0/dev" && mknod "$0/dev/null" c 1 3',
      'mknod "$0/dev/urandom" c 1 9 && ln -s /proc/self/fd/1 "$0/dev/stdout"',
      'chmod 755 "$0/lib/bootswarm/dhcp" && chroot "$0" /bin/busybox sh /drive 2>&1 | cat',
    ].join(' && ')
    const apart = ['unshare', '--mount', '--uts', '--propagation', 'private', 'sh', '-c', enter, root]
    const [program = '', ...args] = this.wire.command(name, 'setpriv', '--pdeathsig', 'KILL', ...apart)
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#t.after(() => end(child, 'SIGKILL'))
    let said = ''
    const hear = (part: Buffer) => {
      said += part.toString()
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    // `exit` may come before the last of the output.
    let closed = false
    child.once('close', () => {
      closed = true
    })
    const says = (what: RegExp) =>
      until(
        `${what} of stage 1`,
        async () => {
          if (what.test(said)) return true as const
          if (closed) throw new Error(`stage 1 ended with ${child.exitCode}`)
          return undefined
        },
        machineHangMs,
      ).catch((error: Error) => {
        throw new Error(`${error.message}:\n${said.slice(-3000)}`)
      })
    return {
      says,
      up: async () => {
        await says(/^=end$/m)
        const text = (of: string) =>
          new RegExp(`^=${of} ([\\s\\S]*?)(?=^=)`, 'm').exec(said)?.[1]?.trim() ?? ''
        return {
          said: said.slice(0, said.indexOf('=card')),
          card: text('card'),
          addresses: text('addresses'),
          routes: text('routes'),
          mtu: Number(text('mtu')),
          links: text('links'),
          lease: text('lease'),
          hostname: text('hostname'),
        }
      },
    }
  }
}
