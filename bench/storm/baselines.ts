/** Other ways on the same links: plain HTTPS, aria2, libtorrent with and without super-seeding, udpcast. */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { makeTorrent, torrentFile } from '../../server/catalog/torrent.js'
import { hangMs, stop } from '../agent/measure.js'
import { type Fleet, type Member, startFleet } from './fleet.js'
import { insideServer } from './network.js'
import { type Host, SERVER_ADDRESS } from './plan.js'
import {
  type BaselineResult,
  copies,
  failedBaseline,
  IDLE_SHARE_LEAST,
  over,
  round,
  timesOf,
} from './result.js'
import { cpuTimes, idleShare, startSampler } from './sampler.js'
import { serverUrl } from './server.js'
import { payloadOf } from './shaping.js'
import type { BaselineName } from './storm-options.js'
import type { StormSite } from './storm-site.js'
import { Undo } from './undo.js'

/**
 * The most nodes that make sense here. Stock clients need both cores for 100 links of 10 Mbit/s; plain HTTPS is bound
 * by the server's link and takes as many floors as there are nodes, hours for 500.
 */
const NODES_MAX: Readonly<Record<BaselineName, number>> = {
  https: 12,
  aria2: 50,
  libtorrent: 50,
  'libtorrent-super': 50,
  udpcast: 100,
}

/** What a baseline needs on the server's side, and what it runs on each node. */
interface Baseline {
  /** Starts what serves; undefined: the daemon that runs anyway. */
  readonly serve?: () => Promise<ChildProcess>
  readonly command: (host: Host, directory: string) => readonly string[]
  /** A line that says "whole"; without one the exit code 0 does. */
  readonly done?: RegExp
}

const seedPort = 6900
const libtorrentScript = 'bench/storm/libtorrent_node.py'

/** Runs one baseline. One that cannot run at all has failed, with the reason in its note; the next ones run. */
export async function runBaseline(
  site: StormSite,
  name: BaselineName,
  undo: Undo,
  checkout: string,
  say: (line: string) => void,
): Promise<BaselineResult> {
  const most = site.options.baselineNodes || NODES_MAX[name]
  const hosts = chooseHosts(site, Math.min(most, site.plan.nodes.length))
  // What it leaves running would share the links with the next one.
  const own = new Undo()
  undo.add(() => own.all())
  try {
    return await measure(site, name, hosts, own, checkout, say)
  } catch (error) {
    const why = (error as Error).message
    say(`${name}: failed, ${why}`)
    return failedBaseline(name, hosts.length, why)
  } finally {
    await own.all()
  }
}

async function measure(
  site: StormSite,
  name: BaselineName,
  hosts: readonly Host[],
  undo: Undo,
  checkout: string,
  say: (line: string) => void,
): Promise<BaselineResult> {
  const { plan, network, payload } = site
  const note = hosts.length < plan.nodes.length ? `too heavy for ${plan.nodes.length} here` : ''
  say(`${name}: ${hosts.length} nodes${note ? ` (${note})` : ''}`)
  const directory = join(site.directory, `baseline-${name}`)
  mkdirSync(directory)
  undo.add(() => rmSync(directory, { recursive: true, force: true }))
  const baseline = await prepare(site, name, directory, checkout, hosts.length)
  const served = await baseline.serve?.()
  if (served) undo.add(() => stop(served))
  const completed = new Map<string, number>()
  let left = hosts.length
  let finish = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const ended = new Set<string>()
  const end = (member: Member, ok: boolean, atMs: number) => {
    if (ended.has(member.host.id)) return
    ended.add(member.host.id)
    if (ok) completed.set(member.host.id, atMs / 1000)
    left -= 1
    if (left === 0) finish()
  }
  const members = hosts.map((host): Member => {
    const own = join(directory, host.id)
    mkdirSync(own)
    return { host, startS: 0, command: baseline.command(host, own) }
  })
  const fleet: Fleet = await startFleet(members, directory, join(directory, 'log'), {
    line: (member, line, atMs) => {
      if (baseline.done?.test(line)) end(member, true, atMs)
    },
    exit: (member, code, atMs) => {
      const whole = code === 0 && hasPayload(join(directory, member.host.id), payload.bytes)
      end(member, !baseline.done && whole, atMs)
    },
  })
  undo.add(() => fleet.end())
  const before = network.shapedBytes()
  const cpu = cpuTimes()
  fleet.open()
  const sampler = startSampler(network, plan, () => {})
  undo.add(() => sampler.stop())
  let timer: NodeJS.Timeout | undefined
  const timeoutS = Math.max(60, site.floorS * (name === 'https' ? hosts.length * 1.3 + 2 : 12))
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutS * 1000)
  })
  await Promise.race([finished, timeout])
  clearTimeout(timer)
  const idle = idleShare(cpu, cpuTimes())
  sampler.stop()
  const after = network.shapedBytes()
  await fleet.end()
  if (served) await stop(served)
  const lastWords = completed.size < hosts.length ? lastLine(join(directory, 'log')) : ''
  const times = timesOf([...completed.values()])
  const racksIn = plan.racks
    .filter((rack) => rack.corePort !== '' && hosts.some((host) => host.rack === rack.index))
    .map((rack) => (after.get(rack.corePort)?.bytes ?? 0) - (before.get(rack.corePort)?.bytes ?? 0))
  const samples = sampler.samples
  return {
    name,
    nodes: hosts.length,
    ...times,
    last_over_floor: left === 0 && completed.size === hosts.length ? over(times.last_s, site.floorS) : null,
    origin_copies: round(payloadOf(samples[samples.length - 1]?.serverTxBytes ?? 0) / payload.bytes, 3),
    ...copies(racksIn, payload.bytes),
    failed: hosts.length - completed.size,
    cpu_idle_share: round(idle, 4),
    valid: idle >= IDLE_SHARE_LEAST,
    note: [note, lastWords, left > 0 ? `given up after ${timeoutS.toFixed(0)} s` : '']
      .filter(Boolean)
      .join('; '),
    completed_s: [...completed.values()].sort((a, b) => a - b).map((value) => round(value, 3)),
  }
}

/** Resolves at a program's first output; rejects with its standard error when it ends without. */
export function saysSomething(
  child: ChildProcessByStdio<null, Readable, Readable>,
  who: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let complaint = ''
    const limit = setTimeout(() => child.kill('SIGKILL'), hangMs)
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-2000)
    })
    child.stdout.once('data', () => {
      clearTimeout(limit)
      resolve()
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(limit)
      reject(new Error(`${who} ended with ${signal ?? code}: ${complaint.trim()}`))
    })
  })
}

/**
 * As a farm without a swarm does it: every node fetches, and one that is turned away comes back. One that is cut off
 * continues where it was (curl would start over): twelve at 1.5 Mbit/s are slower than the server permits a reader to be.
 */
export function httpsFetch(url: string, file: string, caFile: string): readonly string[] {
  const retry = ['--tries=0', '--waitretry=2', '--retry-on-http-error=503']
  return ['wget', '--no-config', '--quiet', ...retry, `--ca-certificate=${caFile}`, '-O', file, url]
}

/** The first racks, so that a smaller run has the same shape. */
function chooseHosts(site: StormSite, count: number): Host[] {
  return site.plan.nodes.filter((host) => !host.slow).slice(0, count)
}

/** The last output of nodes that failed. */
function lastLine(file: string): string {
  const lines = readFileSync(file, 'utf8')
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== '')
  return (lines[lines.length - 1] ?? '').slice(0, 200)
}

function hasPayload(directory: string, bytes: number): boolean {
  return statSync(join(directory, 'payload.tar'), { throwIfNoEntry: false })?.size === bytes
}

async function prepare(
  site: StormSite,
  name: BaselineName,
  directory: string,
  checkout: string,
  nodes: number,
): Promise<Baseline> {
  const { plan, payload, server } = site
  const onServer = (command: readonly string[]) => async () => {
    const [program, args] = insideServer(plan.serverNamespace, command)
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    if (name === 'udpcast') {
      await once(child, 'spawn')
      child.stdout.resume()
      child.stderr.resume()
    } else await saysSomething(child, `the seeder of ${name}`)
    return child
  }
  if (name === 'https') {
    const { path } = await server.artifact()
    const caFile = join(server.trustDir, 'ca.pem')
    return {
      command: (_host, own) => httpsFetch(`${serverUrl}${path}`, join(own, 'payload.tar'), caFile),
    }
  }
  if (name === 'udpcast') {
    const port = ['--portbase', '9000', '--interface', 'eth0', '--nokbd']
    return {
      command: (_host, own) => ['udp-receiver', ...port, '--nosync', '--file', join(own, 'payload.tar')],
      serve: onServer([
        'udp-sender',
        ...port,
        '--file',
        payload.file,
        '--min-receivers',
        String(nodes),
        '--full-duplex',
        '--max-bitrate',
        `${Math.floor(site.options.linkMbit * 970)}k`,
      ]),
    }
  }
  const torrent = join(directory, 'payload.torrent')
  const announce = `http://${SERVER_ADDRESS}:${seedPort + 1}/announce`
  const facts = await makeTorrent(payload.file, 'payload.tar', payload.bytes)
  writeFileSync(torrent, torrentFile('payload.tar', payload.bytes, facts, announce))
  const seedDir = join(directory, 'seed')
  mkdirSync(seedDir)
  linkSync(payload.file, join(seedDir, 'payload.tar'))
  const script = join(checkout, libtorrentScript)
  const python = ['/usr/bin/python3', script]
  const seeder = (mode: string) =>
    onServer([...python, mode, torrent, seedDir, `${SERVER_ADDRESS}:${seedPort}`, announce])
  if (name === 'aria2') {
    const quiet = ['--enable-dht=false', '--bt-enable-lpd=false', '--no-conf', '--quiet', '--seed-ratio=0.0']
    const tuned = [
      '--file-allocation=none',
      '--bt-max-peers=0',
      '--follow-torrent=false',
      '--bt-request-peer-speed-limit=0',
    ]
    return {
      command: (host, own) => [
        'aria2c',
        ...quiet,
        ...tuned,
        `--interface=${host.address}`,
        `--bt-tracker=${announce}`,
        '--listen-port=6881',
        `--dir=${own}`,
        '--on-bt-download-complete=/bin/echo',
        '--check-integrity=false',
        torrent,
      ],
      done: /./,
      serve: seeder('seed'),
    }
  }
  return {
    command: (host, own) => [...python, 'fetch', torrent, own, `${host.address}:6881`, announce],
    done: /^done$/,
    serve: seeder(name === 'libtorrent-super' ? 'super' : 'seed'),
  }
}
