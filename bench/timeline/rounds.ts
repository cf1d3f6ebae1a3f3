/**
 * The measurements of `npm run bench:timeline`: what a farm that boots costs the server's processor, of this build and, in turn
 * within each round, of another one. Medians over the rounds.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cpuSeconds, hangMs, median, startService, stop } from '../agent/measure.js'
import { benchWire, makeWire } from '../dhcp/wire.js'
import { checkSupport, inside, removeLeftovers } from '../storm/network.js'
import { makePayload } from '../storm/payload.js'
import { commandOf, processTree, treeCpuSeconds } from '../storm/process-tree.js'
import type { Undo } from '../storm/undo.js'
import type { FarmScript } from './farm.js'

/** A build of the server. */
export interface Build {
  readonly name: string
  /** Its checkout, compiled. */
  readonly directory: string
}

/** How much to measure. */
export interface TimelineBenchOptions {
  readonly builds: readonly Build[]
  readonly nodes: number
  /** Over which they are switched on. */
  readonly seconds: number
  readonly rounds: number
  /** Where the servers keep their data. */
  readonly directory: string
  readonly log: (line: string) => void
}

/** Processor time of one farm's boot, seconds. */
export interface TimelineCost {
  /** Of the daemon with its threads: the main loop and the one that writes. */
  readonly daemonS: number
  /** Of DHCP and TFTP. */
  readonly netbootS: number
  readonly allS: number
  /** From the first node's start to the last one's end. */
  readonly elapsedS: number
}

/** One build: medians. */
export interface TimelineRow extends TimelineCost {
  readonly build: string
}

const farmFile = fileURLToPath(new URL('./farm.js', import.meta.url))
/** What waits to be written, and counters that are sent once a second. */
const settleMs = 2000

/** Measures all builds. */
export async function runTimelineBench(options: TimelineBenchOptions, undo: Undo): Promise<TimelineRow[]> {
  removeLeftovers()
  checkSupport()
  const samples = options.builds.map((build) => ({ build, costs: [] as TimelineCost[] }))
  for (let round = 0; round < options.rounds; round += 1) {
    options.log(`round ${round + 1} of ${options.rounds}`)
    for (const { build, costs } of samples) {
      const cost = await measure(build, options, undo)
      costs.push(cost)
      options.log(`  ${build.name}: ${figures(cost)}`)
    }
  }
  return samples.map(({ build, costs }) => {
    const of = (name: keyof TimelineCost) => median(costs.map((cost) => cost[name]))
    return {
      ...{ build: build.name, daemonS: of('daemonS'), netbootS: of('netbootS') },
      ...{ allS: of('allS'), elapsedS: of('elapsedS') },
    }
  })
}

function figures({ daemonS, netbootS, allS, elapsedS }: TimelineCost): string {
  const each = [daemonS, netbootS, allS].map((seconds) => seconds.toFixed(2)).join(', ')
  return `${each} s of processor time (daemon, netboot, all) in ${elapsedS.toFixed(1)} s`
}

async function measure(build: Build, options: TimelineBenchOptions, undo: Undo): Promise<TimelineCost> {
  const directory = mkdtempSync(join(options.directory, `bwtimeline-${process.pid}-`))
  const wire = makeWire()
  const end = () => {
    wire.remove()
    rmSync(directory, { recursive: true, force: true })
  }
  undo.add(end)
  try {
    const child = await startServer(build, wire.server, directory)
    try {
      const pid = child.pid ?? 0
      const netboot = processTree(pid).find((id) => commandOf(id).includes('netboot-process')) ?? pid
      const cost = () => [cpuSeconds(pid), cpuSeconds(netboot), treeCpuSeconds(pid)] as const
      const before = cost()
      const startedMs = performance.now()
      await runFarm(wire.client, directory, options)
      const elapsedS = (performance.now() - startedMs) / 1000
      await pause(settleMs)
      const [daemonS = 0, netbootS = 0, allS = 0] = cost().map((after, at) => after - (before[at] ?? 0))
      return { daemonS, netbootS, allS, elapsedS }
    } finally {
      await stop(child)
    }
  } finally {
    end()
  }
}

async function startServer({ directory: checkout }: Build, namespace: string, directory: string) {
  makePayload(directory, 200_000, 1, 'tar')
  const artifacts = join(directory, 'artifacts')
  mkdirSync(join(artifacts, 'boot'), { recursive: true })
  mkdirSync(join(directory, 'ipxe', 'x64'), { recursive: true })
  for (const file of [join(artifacts, 'boot', 'vmlinuz'), join(artifacts, 'boot', 'stage1')])
    writeFileSync(file, randomBytes(64 * 1024))
  writeFileSync(join(directory, 'ipxe', 'x64', 'snponly.efi'), randomBytes(200_000))
  const config = join(directory, 'bootswarm.yaml')
  const pool = `{subnet: ${benchWire.subnet}, range: ${benchWire.first}-${benchWire.last}}`
  const netboot = `{mode: full, interfaces: [${benchWire.device}], ipxe_dir: ${join(directory, 'ipxe')}, pools: [${pool}]}`
  writeFileSync(config, `netboot: ${netboot}\n`)
  const places = ['--config', config, '--data-dir', join(directory, 'data'), '--artifacts-dir', artifacts]
  const node = [process.execPath, `--openssl-config=${join(checkout, 'server/process/openssl.cnf')}`]
  const flags = [...places, '--address', benchWire.server, '--user', 'root', '--log-format', 'json']
  const [program, args] = inside(namespace, [...node, join(checkout, 'dist/server/main.js'), ...flags])
  return startService(program, args, /"catalog\.published"/)
}

async function runFarm(
  namespace: string,
  directory: string,
  { nodes, seconds }: TimelineBenchOptions,
): Promise<void> {
  const script: FarmScript = {
    ...{ nodes, seconds, server: benchWire.server, address: benchWire.client },
    caFile: join(directory, 'data', 'trust', 'ca.pem'),
  }
  const [program, args] = inside(namespace, [process.execPath, farmFile, JSON.stringify(script)])
  await promisify(execFile)(program, args, { timeout: hangMs })
}
