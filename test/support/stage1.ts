/**
 * Real kernel and real stage 1 for tests, made by `image stage1` itself. Downloads and compressed parts are kept below
 * .cache, so only the first call of a checkout takes long; `SmallRoot` is a root file system that says what it is.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { agentPath } from '../../host/agent-binary.js'
import { makeStage1 } from '../../image/stage1.js'
import { parseStage1Options } from '../../image/stage1-options.js'
import type { Stage1Report } from '../../image/stage1-report.js'
import type { Daemon } from '../server/main/support.js'
import { NetbootSite } from '../server/netboot/support.js'
import { type Machine, startMachine } from './machine.js'

/** Puts `vmlinuz` and `stage1` of a server with this data directory into `outDir`. */
export function makeBootFiles(dataDir: string, outDir: string, ...flags: string[]): Promise<Stage1Report> {
  const trust = ['--trust', join(dataDir, 'trust'), '--agent', agentPath()]
  return makeStage1(parseStage1Options([...trust, '--out', outDir, ...flags]))
}

/** What its init says once, on the console: `ROOT-IS-UP`, host name, file system of `/`, and whether the agent lives. */
const smallInit = `#!/bin/busybox sh
export PATH=/bin
fs=$(awk '$2 == "/" { type = $3 } END { print type }' /proc/mounts)
agent=$(ps -o args | grep -c '[b]ootswarm-agent boot')
swap=$(grep -c zram /proc/swaps)
. /etc/environment
echo "ROOT-IS-UP host=$(cat /etc/hostname) fs=$fs agents=$agent swaps=$swap plugin=$(cat /opt/plugin) pool=$POOL bulk=$(wc -c </bulk)."
exec sleep 100000
`

/** Files of a root file system of a few megabytes, in a directory. */
export function makeSmallRoot(dir: string, bulkBytes = 1_000_000): void {
  for (const name of ['bin', 'sbin', 'etc', 'usr/lib', 'proc', 'sys', 'dev', 'run', 'tmp']) {
    mkdirSync(join(dir, name), { recursive: true })
  }
  copyFileSync('/usr/bin/busybox', join(dir, 'bin/busybox'))
  for (const name of ['awk', 'ps', 'grep', 'cat', 'wc', 'sleep', 'sh']) {
    execFileSync('ln', ['-sf', 'busybox', join(dir, 'bin', name)])
  }
  // Absolute: it must not be followed outside of the new root.
  execFileSync('ln', ['-sfn', '/usr/lib', join(dir, 'lib')])
  writeFileSync(join(dir, 'usr/lib/init'), smallInit, { mode: 0o755 })
  execFileSync('ln', ['-sfn', '/lib/init', join(dir, 'sbin/init')])
  writeFileSync(join(dir, 'bulk'), Buffer.alloc(bulkBytes, 'bootswarm '))
}

/** A machine that boots without firmware. */
export interface DirectBoot {
  readonly mac: string
  /** Words for the kernel command line. */
  readonly words?: string
  readonly memoryMb?: number
  /** QEMU's name of the network card; `virtio-net-pci` by default. */
  readonly card?: string
  /** What the firmware says of the machine: QEMU's `-smbios`. */
  readonly smbios?: string
}

/** A server in a network of its own, with a small root file system, a plugin and a real kernel. */
export class Stage1Site {
  readonly place: NetbootSite
  readonly daemon: Daemon
  readonly report: Stage1Report

  private constructor(place: NetbootSite, daemon: Daemon, report: Stage1Report) {
    this.place = place
    this.daemon = daemon
    this.report = report
  }

  /** Makes it; undefined without root. `squashfs`: the root file system is one. */
  static async make(
    t: TestContext,
    options: { readonly squashfs?: boolean; readonly bulkBytes?: number; readonly config?: string } = {},
  ): Promise<Stage1Site | undefined> {
    const netboot =
      '{mode: full, interfaces: [lan0], pools: [{subnet: 10.77.0.0/24, range: 10.77.0.100-10.77.0.110}]}'
    const place = NetbootSite.make(
      t,
      netboot,
      `settings: {POOL: 'pool.example:3333'}\n${options.config ?? ''}`,
    )
    if (place === undefined) return undefined
    const { site } = place
    const root = join(site.dir, 'root')
    makeSmallRoot(root, options.bulkBytes)
    if (options.squashfs === true) {
      const flags = ['-comp', 'zstd', '-quiet', '-no-progress', '-all-root']
      execFileSync('mksquashfs', [root, site.artifact('rootfs/small.squashfs'), ...flags], {
        stdio: 'ignore',
      })
    } else {
      execFileSync('tar', [
        '--owner=0',
        '--group=0',
        '-C',
        root,
        '-czf',
        site.artifact('rootfs/small.tar.gz'),
        '.',
      ])
    }
    const plugin = join(site.dir, 'plugin')
    // Through a link of the base: `/lib` must stay one.
    mkdirSync(join(plugin, 'opt'), { recursive: true })
    mkdirSync(join(plugin, 'lib'), { recursive: true })
    writeFileSync(join(plugin, 'opt/plugin'), 'here\n')
    writeFileSync(join(plugin, 'lib/of-plugin'), 'x\n')
    const name = site.artifact('plugins/coinboot_test_1_20260101.0000.tar.gz')
    execFileSync('tar', ['--owner=0', '--group=0', '-C', plugin, '-czf', name, 'opt/plugin', 'lib/of-plugin'])
    const daemon = await place.start()
    const report = await makeBootFiles(site.data, site.artifact('boot'))
    return new Stage1Site(place, daemon, report)
  }

  /** Switches a machine on that has kernel and stage 1 already. */
  boot(t: TestContext, options: DirectBoot): Machine {
    const { wire, site } = this.place
    const { mac } = options
    const tap = `tap${mac.slice(-2)}`
    wire.server('ip', 'tuntap', 'add', 'dev', tap, 'mode', 'tap')
    wire.server('ip', 'link', 'set', tap, 'master', 'lan0', 'up')
    const url = `https://10.77.0.1:${this.daemon.ports().https}`
    const append = `console=ttyS0 no_timer_check panic=-1 bootswarm.server=${url} BOOTIF=01-${mac.replaceAll(':', '-')} ${options.words ?? ''}`
    return startMachine(t, {
      args: [
        ...['-m', String(options.memoryMb ?? 256)],
        ...(options.smbios === undefined ? [] : ['-smbios', options.smbios]),
        ...[
          '-kernel',
          site.artifact('boot/vmlinuz'),
          '-initrd',
          site.artifact('boot/stage1'),
          '-append',
          append,
        ],
        ...['-netdev', `tap,id=n0,ifname=${tap},script=no,downscript=no`],
        ...['-device', `${options.card ?? 'virtio-net-pci'},netdev=n0,mac=${mac},romfile=`],
      ],
      command: (...command) => wire.command('server', ...command),
    })
  }
}
