/** The measurements of `npm run bench:agent`: contestants in turn within each round, medians over the rounds. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Contestant } from './clients.js'
import { cpuSeconds, median, peakMb, stop } from './measure.js'
import { makePayload, type Payload } from './payload.js'

/** One contestant in one scenario, medians of the rounds. */
export interface Row {
  readonly scenario: string
  readonly client: string
  readonly mbPerSecond: number
  readonly cpuSecondsPerGb: number
  readonly peakMb: number
}

/** How much to measure. */
export interface BenchOptions {
  readonly directory: string
  readonly sizeBytes: number
  readonly rounds: number
  readonly contestants: readonly Contestant[]
  /** Seeds for the downloads: the same for every contestant. */
  readonly seeder: Contestant
  readonly log: (line: string) => void
}

/** All scenarios; the rows in the order scenario, contestant. */
export async function runBench(options: BenchOptions): Promise<Row[]> {
  const payload = makePayload(join(options.directory, 'seed'), options.sizeBytes)
  const samples = new Map<string, { mb: number[]; cpu: number[]; peak: number[] }>()
  const gigabytes = options.sizeBytes / 1e9
  const add = (
    scenario: string,
    client: string,
    seconds: number,
    cpu: number,
    peak: number,
    copies: number,
  ) => {
    const key = `${scenario}\t${client}`
    const sample = samples.get(key) ?? { mb: [], cpu: [], peak: [] }
    samples.set(key, sample)
    sample.mb.push((options.sizeBytes * copies) / 1e6 / seconds)
    sample.cpu.push(cpu / (gigabytes * copies))
    sample.peak.push(peak)
    const rate = ((options.sizeBytes * copies) / 1e6 / seconds).toFixed(0)
    options.log(`  ${scenario}, ${client}: ${rate} MB/s, ${(cpu / (gigabytes * copies)).toFixed(2)} CPU s/GB`)
  }
  for (let round = 0; round < options.rounds; round += 1) {
    options.log(`round ${round + 1} of ${options.rounds}`)
    for (const peers of [1, 8]) {
      const seeders = await Promise.all(Array.from({ length: peers }, () => options.seeder.seed(payload)))
      try {
        for (const contestant of options.contestants) {
          const out = join(options.directory, 'out')
          rmSync(out, { recursive: true, force: true })
          mkdirSync(out)
          const ports = seeders.map((seeder) => seeder.port)
          const cost = await contestant.fetch(payload, out, ports)
          add(`download from ${peers}`, contestant.name, cost.seconds, cost.cpuSeconds, cost.peakMb, 1)
        }
      } finally {
        await Promise.all(seeders.map((seeder) => stop(seeder.child)))
      }
      rmSync(join(options.directory, 'out'), { recursive: true, force: true })
    }
    for (const contestant of options.contestants) {
      const { child, port } = await contestant.seed(payload)
      try {
        const pid = child.pid ?? 0
        const before = cpuSeconds(pid)
        const { seconds } = await leechers(port, payload, 8)
        add('upload to 8', contestant.name, seconds, cpuSeconds(pid) - before, peakMb(pid), 8)
      } finally {
        await stop(child)
      }
    }
  }
  return [...samples].map(([key, sample]) => {
    const [scenario = '', client = ''] = key.split('\t')
    return {
      scenario,
      client,
      mbPerSecond: median(sample.mb),
      cpuSecondsPerGb: median(sample.cpu),
      peakMb: median(sample.peak),
    }
  })
}

/** The null leechers run in a process of their own, so that their cost is not the seeder's. */
async function leechers(port: number, payload: Payload, count: number): Promise<{ seconds: number }> {
  const script = fileURLToPath(new URL('null-leecher.js', import.meta.url))
  const args = [port, payload.infohash, payload.sizeBytes, payload.pieceLength, count].map(String)
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (bytes: Buffer) => {
    output += bytes.toString()
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error('the leechers failed')
  return JSON.parse(output) as { seconds: number }
}
