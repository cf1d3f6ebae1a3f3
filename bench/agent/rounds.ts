/**
 * The measurements of `npm run bench:agent`: contestants in turn within each round, medians over the rounds. A client
 * that fails is a result with its reason; the others are measured on.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Contestant } from './clients.js'
import { cpuSeconds, hangMs, peakMb, stop } from './measure.js'
import { makePayload, type Payload } from './payload.js'
import { type Figures, type Row, Samples } from './samples.js'

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
  const { contestants, log } = options
  const payload = makePayload(join(options.directory, 'seed'), options.sizeBytes)
  const samples = new Samples()
  const measure = async (scenario: string, client: string, run: () => Promise<Figures>) => {
    try {
      const figures = await run()
      samples.add(scenario, client, figures)
      const { mbPerSecond, cpuSecondsPerGb } = figures
      log(`  ${scenario}, ${client}: ${mbPerSecond.toFixed(0)} MB/s, ${cpuSecondsPerGb.toFixed(2)} CPU s/GB`)
    } catch (error) {
      const why = (error as Error).message
      samples.fail(scenario, client, why)
      log(`  ${scenario}, ${client}: failed, ${why}`)
    }
  }
  for (let round = 0; round < options.rounds; round += 1) {
    log(`round ${round + 1} of ${options.rounds}`)
    for (const peers of [1, 8]) {
      const scenario = `download from ${peers}`
      const seeding = await Promise.allSettled(
        Array.from({ length: peers }, () => options.seeder.seed(payload)),
      )
      const seeders = seeding.flatMap((made) => (made.status === 'fulfilled' ? [made.value] : []))
      try {
        for (const { name, fetch } of contestants)
          await measure(scenario, name, async () => {
            for (const made of seeding) if (made.status === 'rejected') throw made.reason
            const out = join(options.directory, 'out')
            rmSync(out, { recursive: true, force: true })
            mkdirSync(out)
            const ports = seeders.map((seeder) => seeder.port)
            const { seconds, cpuSeconds, peakMb } = await fetch(payload, out, ports)
            return figuresOf(options.sizeBytes, seconds, cpuSeconds, peakMb)
          })
      } finally {
        await Promise.all(seeders.map((seeder) => stop(seeder.child)))
      }
      rmSync(join(options.directory, 'out'), { recursive: true, force: true })
    }
    for (const { name, seed } of contestants) {
      await measure('upload to 8', name, async () => {
        const { child, port } = await seed(payload)
        try {
          const pid = child.pid ?? 0
          const before = cpuSeconds(pid)
          const seconds = await leechers(port, payload, 8)
          return figuresOf(8 * options.sizeBytes, seconds, cpuSeconds(pid) - before, peakMb(pid))
        } finally {
          await stop(child)
        }
      })
    }
  }
  return samples.rows()
}

function figuresOf(bytes: number, seconds: number, cpu: number, peakMb: number): Figures {
  return { mbPerSecond: bytes / 1e6 / seconds, cpuSecondsPerGb: cpu / (bytes / 1e9), peakMb }
}

/** The null leechers run in a process of their own, so that their cost is not the seeder's. Gives the seconds. */
async function leechers(port: number, payload: Payload, count: number): Promise<number> {
  const script = fileURLToPath(new URL('null-leecher.js', import.meta.url))
  const args = [port, payload.infohash, payload.sizeBytes, payload.pieceLength, count].map(String)
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: hangMs,
    killSignal: 'SIGKILL',
  })
  let output = ''
  child.stdout.on('data', (bytes: Buffer) => {
    output += bytes.toString()
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  if (signal !== null) throw new Error(`the leechers did not get the file within ${hangMs / 1000} s`)
  if (code !== 0) throw new Error(output.trim() || `the leechers ended with ${code}`)
  return (JSON.parse(output) as { seconds: number }).seconds
}
