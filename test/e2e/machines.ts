/** What the machines boot: a real kernel and stage 1, a real Debian, two plugins in both dialects of Coinboot's format. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Machine } from '../support/machine.js'
import { askApi } from '../support/operator-api.js'
import { untilEqual } from '../support/processes.js'
import type { Network } from './network.js'

/** One line that a machine says of itself, by names. */
export type Said = Readonly<Record<string, string>>

/** Packs two plugins: one with absolute names, one that follows a link of the base and brings a package and a service. */
export function addPlugins({ place: { site } }: Network): string[] {
  const stage = join(site.dir, 'stage')
  const older = join(stage, 'older')
  mkdirSync(join(older, 'opt/miner'), { recursive: true })
  writeFileSync(join(older, 'opt/miner/run'), '#!/bin/sh\necho mining\n', { mode: 0o755 })
  const miner = site.artifact('plugins/coinboot_miner_2.0_20260101.0000.tar.gz')
  tar(miner, older, ['-P', '--transform=s,^,/,', 'opt/miner/run'])

  const newer = join(stage, 'newer')
  const units = 'etc/systemd/system'
  const wanted = `${units}/multi-user.target.wants`
  for (const name of ['lib/modules', 'tmp', wanted]) mkdirSync(join(newer, name), { recursive: true })
  writeFileSync(join(newer, 'lib/modules/gpu.ko'), 'not a module\n')
  writeFileSync(
    join(newer, 'tmp/dpkg_status'),
    'Package: gpu\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n',
  )
  writeFileSync(
    join(newer, units, 'gpu.service'),
    '[Service]\nType=oneshot\nExecStart=/bin/sh -c "/opt/miner/run > /run/gpu-says"\n',
  )
  symlinkSync('../gpu.service', join(newer, wanted, 'gpu.service'))
  // On a busy host a machine without KVM takes longer than systemd's 90 s until it has found its console: no login there.
  const patience = 'etc/systemd/system.conf.d/patience.conf'
  mkdirSync(dirname(join(newer, patience)), { recursive: true })
  writeFileSync(
    join(newer, patience),
    '[Manager]\nDefaultTimeoutStartSec=30min\nDefaultDeviceTimeoutSec=30min\n',
  )
  const gpu = site.artifact('plugins/coinboot_gpu_1.0_20260101.0000.tar.gz')
  tar(gpu, newer, [
    '--format=pax',
    'lib/modules/gpu.ko',
    'tmp/dpkg_status',
    `${units}/gpu.service`,
    `${wanted}/gpu.service`,
    patience,
  ])
  rmSync(stage, { recursive: true })
  return [miner, gpu]
}

function tar(to: string, from: string, args: readonly string[]): void {
  execFileSync('tar', ['--owner=root:0', '--group=root:0', '-z', '-C', from, '-cf', to, ...args])
}

/** All bytes of these files. */
export function sizeOf(files: readonly string[]): number {
  return files.reduce((sum, file) => sum + statSync(file).size, 0)
}

/** Each machine has redeemed the ticket of its script, from the address that Linux has, and nobody else tried. */
export async function assertRedeemed(dataDir: string, macs: readonly string[]): Promise<void> {
  const types = 'ticket.redeemed,ticket.refused,report.refused,manifest.unproven'
  await untilEqual(
    'the tickets',
    async () => {
      const { body } = await askApi({ dataDir }, 'GET', `/api/v1/events?type=${types}`)
      return body.events.map(({ type, mac }: Record<string, string>) => `${type} ${mac}`).sort()
    },
    macs.map((mac) => `ticket.redeemed ${mac}`).sort(),
  )
}

/** The port that the agents listen on in these tests. */
export const agentPort = 6881

/**
 * Waits until root is logged in on the serial console of a Debian, and asks there how the node is. The questions must
 * not look like their answers: the console says both.
 */
export async function login(machine: Machine): Promise<Said> {
  await machine.says(/root@[a-z0-9-]+:~# /)
  const facts = {
    debian: 'cut -d. -f1 /etc/debian_version',
    host: 'hostname',
    init: 'cat /proc/1/comm',
    root: 'awk \'$2 == "/" { type = $3 } END { print type }\' /proc/mounts',
    agents: 'cat /proc/[0-9]*/comm | grep -c bootswarm',
    listens: `ss -4Hltn 'sport = :${agentPort}' | wc -l`,
    miner: '/opt/miner/run',
    module: 'cat /usr/lib/modules/gpu.ko | wc -c',
    package: "grep -c '^Package: gpu$' /var/lib/dpkg/status",
    service: 'cat /run/gpu-says',
    pool: 'echo $POOL',
    marker: 'ls -A / | grep -c bootswarm-incomplete',
  }
  const words = Object.entries(facts).map(([name, command]) => `${name}=$(${command})`)
  // The kernel's own words would stand in the middle of the answer.
  machine.types(
    `dmesg -n 1; systemctl is-system-running --wait > /dev/null; echo "NODE-""SAYS ${words.join(' ')} THE-""END"`,
  )
  await machine.says(/NODE-SAYS .* THE-END/)
  const line = /NODE-SAYS (.*?) THE-END/.exec(machine.console())?.[1] ?? ''
  return Object.fromEntries(
    line.split(' ').map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
  )
}
