/** What the server's processes hold: memory, descriptors, sockets; looked at again and again. */
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { commandOf, processTree } from '../storm/process-tree.js'

/** What one process holds. */
export interface Holding {
  /** Resident memory, 10^6 bytes. */
  readonly rssMb: number
  readonly descriptors: number
  /** Of the descriptors. */
  readonly sockets: number
}

/** A process that was looked at from the beginning to the end. */
export interface Watched {
  readonly name: string
  readonly pid: number
  readonly before: Holding
  readonly peak: Holding
  /** The last look; undefined: the process has ended. */
  readonly now: Holding | undefined
}

/** By a part of their command lines, the daemon last. */
const names: readonly (readonly [part: string, name: string])[] = [
  ['seeder-process', 'seeder'],
  ['dht-process', 'dht'],
  ['netboot-process', 'netboot'],
  ['netboot-supervisor', 'supervisor'],
  ['server/main.js', 'daemon'],
]
const everyMs = 250

/** The processes of a server that last as long as it does, by name. */
function lastingProcesses(pid: number): Map<string, number> {
  const found = new Map<string, number>()
  for (const each of processTree(pid)) {
    const command = commandOf(each)
    const name = names.find(([part]) => command.includes(part))?.[1]
    if (name !== undefined) found.set(name, each)
  }
  return found
}

/** What a process holds now; undefined for one that has ended. */
function holdingOf(pid: number): Holding | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const rss = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]
    // A process that has ended and was not waited for has no memory.
    if (rss === undefined) return undefined
    const descriptors = readdirSync(`/proc/${pid}/fd`)
    const sockets = descriptors.filter((fd) => isSocket(pid, fd)).length
    return { rssMb: (Number(rss) * 1024) / 1e6, descriptors: descriptors.length, sockets }
  } catch {
    return undefined
  }
}

function isSocket(pid: number, fd: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:')
  } catch {
    return false // it has just been closed
  }
}

/** The kernel's own peak since {@link watchServer} began, so that no look has to hit it. */
function peakRssMb(pid: number): number {
  try {
    const peak = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return (Number(peak ?? 0) * 1024) / 1e6
  } catch {
    return 0
  }
}

/** How many descriptors a process may have. */
export function descriptorLimit(pid: number): number {
  const limits = readFileSync(`/proc/${pid}/limits`, 'utf8')
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY)
}

/** Looks that go on until they are stopped. */
export interface ServerWatch {
  /** What was seen so far, with a look at what is there now. */
  look(): Watched[]
  stop(): void
}

/** Begins to look at the server with this process id. */
export function watchServer(pid: number): ServerWatch {
  const seen = new Map<string, Watched>()
  for (const [name, id] of lastingProcesses(pid)) {
    const before = holdingOf(id)
    if (before === undefined) continue
    // 5: begin the peak anew (proc_pid_clear_refs(5)).
    writeFileSync(`/proc/${id}/clear_refs`, '5')
    seen.set(name, { name, pid: id, before, peak: before, now: before })
  }
  const look = () => {
    for (const each of seen.values()) {
      const now = holdingOf(each.pid)
      const { peak } = each
      const next = now === undefined ? peak : higher(peak, { ...now, rssMb: peakRssMb(each.pid) })
      seen.set(each.name, { ...each, now, peak: next })
    }
    return [...seen.values()]
  }
  const timer = setInterval(look, everyMs)
  return { look, stop: () => clearInterval(timer) }
}

function higher(a: Holding, b: Holding): Holding {
  return {
    rssMb: Math.max(a.rssMb, b.rssMb),
    descriptors: Math.max(a.descriptors, b.descriptors),
    sockets: Math.max(a.sockets, b.sockets),
  }
}
