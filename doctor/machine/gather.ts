/** Reads means and limits of the machine from /proc and the file systems. */

import { execFile } from 'node:child_process'
import { readdir, readFile, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Gathered, Site } from '../check.js'
import type { DiskFacts, MachineFacts } from './facts.js'

/** Files that are looked at in each directory. */
const filesMax = 10_000
const askMs = 3_000

/** All of it. */
export async function gatherMachine({ config, server }: Site): Promise<Gathered<MachineFacts>> {
  const kinds = ['rootfs', 'plugins', 'boot'].map((kind) => join(config.artifacts_dir, kind))
  const artifacts = (await Promise.all(kinds.map(filesIn))).flat()
  const written = await Promise.all(
    [join(config.data_dir, 'keys'), join(config.data_dir, 'trust'), config.data_dir].map(filesIn),
  )
  const newest = Math.max(...written.flat().map(({ changedMs }) => changedMs))
  const [max, count] = await Promise.all(
    ['nf_conntrack_max', 'nf_conntrack_count'].map((name) => sysctl(`net/netfilter/${name}`)),
  )
  const facts: MachineFacts = {
    artifactsBytes: artifacts.reduce((sum, { bytes }) => sum + bytes, 0),
    artifactsDisk: await diskOf(config.artifacts_dir),
    dataDisk: await diskOf(config.data_dir),
    memoryBytes: await memory(),
    filesMax: await filesLimit(server?.pid),
    inotifyWatchesMax: await sysctl('fs/inotify/max_user_watches'),
    inotifyInstancesMax: await sysctl('fs/inotify/max_user_instances'),
    receiveBytesMax: await sysctl('net/core/rmem_max'),
    conntrack: max === undefined || count === undefined ? undefined : { max, count },
    neighboursMax: await sysctl('net/ipv4/neigh/default/gc_thresh3'),
    newestFileMs: Number.isFinite(newest) ? newest : undefined,
    isClockSynced: await clockSynced(),
  }
  return { facts, leftOut: [] }
}

async function sysctl(path: string): Promise<number | undefined> {
  const text = await readFile(`/proc/sys/${path}`, 'latin1').catch(() => '')
  return /^[0-9]+\s*$/.test(text) ? Number(text) : undefined
}

async function filesIn(path: string): Promise<{ bytes: number; changedMs: number }[]> {
  const names = (await readdir(path).catch(() => [])).slice(0, filesMax)
  const found = await Promise.all(names.map((name) => stat(join(path, name)).catch(() => undefined)))
  return found.flatMap((facts) => (facts?.isFile() ? [{ bytes: facts.size, changedMs: facts.mtimeMs }] : []))
}

/** A directory that is not there yet will lie where the one above it does. */
async function diskOf(path: string): Promise<DiskFacts | undefined> {
  try {
    const [space, { dev }] = await Promise.all([statfs(path), stat(path)])
    return {
      path,
      freeBytes: space.bavail * space.bsize,
      freeInodes: space.ffree,
      hasInodes: space.files > 0,
      device: dev,
    }
  } catch {
    return dirname(path) === path ? undefined : diskOf(dirname(path))
  }
}

async function memory(): Promise<number | undefined> {
  const text = await readFile('/proc/meminfo', 'latin1').catch(() => '')
  const kib = /^MemAvailable:\s+([0-9]+) kB/m.exec(text)?.[1]
  return kib === undefined ? undefined : Number(kib) * 1024
}

/** The hard limit: Node raises its own to that. */
async function filesLimit(pid: number | undefined): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid ?? 'self'}/limits`, 'latin1').catch(() => '')
  const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(text)?.[1]
  return limit === undefined || limit === 'unlimited' ? undefined : Number(limit)
}

async function clockSynced(): Promise<boolean | undefined> {
  try {
    const { stdout } = await promisify(execFile)(
      'timedatectl',
      ['show', '--property=NTPSynchronized', '--value'],
      { timeout: askMs },
    )
    return stdout.trim() === 'yes' ? true : stdout.trim() === 'no' ? false : undefined
  } catch {
    return undefined
  }
}
