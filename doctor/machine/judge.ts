/** From the machine's means to findings. Pure. */

import type { Site } from '../check.js'
import { type Finding, finding } from '../finding.js'
import type { DiskFacts, MachineFacts } from './facts.js'

/** What the product is made for. */
const nodes = 500
const gib = 1024 ** 3
/** Room for another root file system while the old one is still served. */
const freeBytesMin = gib
const freeInodesMin = 1000
/** Node, its child processes and a page cache for kernel and stage 1. */
const memoryBytesMin = 256 * 1024 * 1024
/** A connection to the seeder, one over HTTPS and one over HTTP for each node, and some files. */
const filesMin = 4 * nodes
/** The server's directories: artifacts/ and the three in it; other programs of the user count too. */
const watchesMin = 64
const instancesMin = 16
/** What a DISCOVER of 330 bytes takes of a socket's buffer, as measured on loopback; the kernel gives twice rmem_max. */
const datagramBytes = 1280 / 2
const receiveBytesMin = nodes * datagramBytes
const receiveBytesWanted = 4 * 1024 * 1024
/** DHCP, TFTP, and a few connections of each node, which are remembered for some minutes. */
const trackedMin = 16 * nodes
const trackedShareMax = 0.8
const neighboursMin = nodes + 100
/** When this was written: an earlier clock is wrong. */
const releaseMs = Date.UTC(2026, 10, 1)
const dayMs = 86_400_000

/** All about the machine's means. */
export function judgeMachine(facts: MachineFacts, { nowMs }: Pick<Site, 'nowMs'>): Finding[] {
  return [...storage(facts), ...limits(facts), ...network(facts), ...clock(facts, nowMs)]
}

function storage({ artifactsBytes, artifactsDisk, dataDisk, memoryBytes }: MachineFacts): Finding[] {
  const disks = [dataDisk, artifactsDisk].filter((disk): disk is DiskFacts => disk !== undefined)
  const separate = disks.filter((disk, at) => disks.findIndex(({ device }) => device === disk.device) === at)
  const findings = separate.flatMap(({ path, freeBytes, freeInodes, hasInodes }) => {
    const isSmall = freeBytes < freeBytesMin
    if (!isSmall && !(hasInodes && freeInodes < freeInodesMin)) return []
    const what = isSmall ? `${size(freeBytes)} free` : `${freeInodes} inodes free`
    return [
      finding('DISK_LOW', `${path}: ${what}`, `remove what is not needed: sudo du -xh --max-depth=1 ${path}`),
    ]
  })
  if (memoryBytes === undefined) return findings
  const needed = memoryBytesMin + artifactsBytes
  if (memoryBytes >= needed) return findings
  const isVeryLow = memoryBytes < memoryBytesMin
  const seen = isVeryLow
    ? `${size(memoryBytes)} of memory is available`
    : `${size(memoryBytes)} of memory is available for ${size(artifactsBytes)} of artifacts: the disk is read again for each node`
  return [
    ...findings,
    finding('MEMORY_LOW', seen, 'add memory, or end other programs: ps -eo rss,comm --sort=-rss | head'),
  ]
}

function limits({ filesMax, inotifyWatchesMax, inotifyInstancesMax }: MachineFacts): Finding[] {
  const findings: Finding[] = []
  if (filesMax !== undefined && filesMax < filesMin) {
    const seen = `at most ${filesMax} files and connections at once; ${nodes} nodes need about ${filesMin}`
    findings.push(
      finding(
        'FILES_LIMIT',
        seen,
        'systemd: LimitNOFILE=65536 in the unit; a shell: ulimit -Hn 65536 as root',
      ),
    )
  }
  const isLow =
    (inotifyWatchesMax ?? watchesMin) < watchesMin || (inotifyInstancesMax ?? instancesMin) < instancesMin
  if (isLow) {
    const seen = `inotify: ${inotifyWatchesMax} watches, ${inotifyInstancesMax} instances: new files in artifacts/ are noticed seconds later`
    findings.push(
      finding(
        'INOTIFY_LOW',
        seen,
        'sudo sysctl -w fs.inotify.max_user_watches=65536 fs.inotify.max_user_instances=128',
      ),
    )
  }
  return findings
}

function network({ receiveBytesMax, conntrack, neighboursMax }: MachineFacts): Finding[] {
  const findings: Finding[] = []
  if (receiveBytesMax !== undefined && receiveBytesMax < receiveBytesMin) {
    const fitting = Math.floor(receiveBytesMax / datagramBytes)
    const seen = `net.core.rmem_max is ${receiveBytesMax}: about ${fitting} DHCP messages can queue; more are lost, and clients repeat them seconds later`
    findings.push(
      finding('RECEIVE_BUFFER_SMALL', seen, persistent(`net.core.rmem_max=${receiveBytesWanted}`)),
    )
  }
  if (
    conntrack !== undefined &&
    (conntrack.max < trackedMin || conntrack.count > conntrack.max * trackedShareMax)
  ) {
    const seen = `the firewall tracks ${conntrack.count} connections and at most ${conntrack.max}: further ones are dropped (dmesg: nf_conntrack: table full)`
    findings.push(
      finding(
        'CONNTRACK_SMALL',
        seen,
        persistent(`net.netfilter.nf_conntrack_max=${Math.max(65_536, conntrack.max * 2)}`),
      ),
    )
  }
  if (neighboursMax !== undefined && neighboursMax < neighboursMin) {
    const seen = `at most ${neighboursMax} neighbours are known at once (gc_thresh3): with more nodes than that, packets to them are lost`
    findings.push(finding('NEIGHBOURS_SMALL', seen, persistent('net.ipv4.neigh.default.gc_thresh3=4096')))
  }
  return findings
}

function clock({ newestFileMs, isClockSynced }: MachineFacts, nowMs: number): Finding[] {
  const set = 'sudo timedatectl set-ntp true, or sudo date --set "2026-12-31 23:59:59"'
  const now = new Date(nowMs).toISOString().slice(0, 16)
  if (nowMs < releaseMs) {
    return [
      finding(
        'CLOCK_WRONG',
        `the clock says ${now}, before this program was released: nodes with a correct clock refuse the certificate`,
        set,
      ),
    ]
  }
  if (newestFileMs !== undefined && newestFileMs > nowMs + dayMs) {
    const then = new Date(newestFileMs).toISOString().slice(0, 16)
    return [finding('CLOCK_WRONG', `the clock says ${now}, but the server wrote a file at ${then}`, set)]
  }
  if (isClockSynced !== false) return []
  return [
    finding('CLOCK_UNSYNCED', 'no time server sets the clock; nodes take the time from this server', set),
  ]
}

function persistent(setting: string): string {
  return `sudo sysctl -w ${setting}; to keep it: a line in /etc/sysctl.d/bootswarm.conf`
}

function size(bytes: number): string {
  return bytes >= gib ? `${(bytes / gib).toFixed(1)} GiB` : `${Math.round(bytes / 1024 ** 2)} MiB`
}
