/** The measurements of `npm run bench:dhcp`: servers in turn within each round, medians over the rounds. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { median } from '../agent/measure.js'
import { checkSupport, removeLeftovers } from '../storm/network.js'
import type { Undo } from '../storm/undo.js'
import { runPerfdhcp } from './perfdhcp.js'
import type { DhcpContestant } from './servers.js'
import { makeWire } from './wire.js'

/** A server that completes a smaller share of the exchanges is overloaded. */
const doneShareLeast = 0.95
/** Each rate is this many times the one before, from the steady rate upwards. */
const step = 1.3
/** Where the search ends: no server comes near it. */
const rateMost = 50_000

/** One server: medians of the rounds, or why there are none. */
export interface DhcpRow {
  readonly server: string
  /** The most exchanges that it completed in a second, at any rate that it kept up with. */
  readonly mostPerSecond: number
  /** Share of the exchanges that it completed at the steady rate. */
  readonly doneShare: number
  /** Milliseconds of processor time for one exchange: of the process that answers, and of the whole server. */
  readonly answeringMs: number
  readonly allMs: number
  readonly offerMs: number
  readonly ackMs: number
  readonly failed?: string
}

/** How much to measure. */
export interface DhcpBenchOptions {
  readonly contestants: readonly DhcpContestant[]
  /** Exchanges a second at which the time of each is measured. */
  readonly rate: number
  readonly rounds: number
  readonly seconds: number
  /** Where the servers keep their leases. */
  readonly directory: string
  readonly log: (line: string) => void
}

type Figures = Omit<DhcpRow, 'server' | 'failed'>
type Run = Omit<Figures, 'mostPerSecond'> & { readonly perSecond: number }

/** Measures all servers; one that fails has a row too. */
export async function runDhcpBench(options: DhcpBenchOptions, undo: Undo): Promise<DhcpRow[]> {
  removeLeftovers()
  checkSupport()
  const samples = options.contestants.map((contestant) => ({
    contestant,
    figures: [] as Figures[],
    failures: [] as string[],
  }))
  for (let round = 0; round < options.rounds; round += 1) {
    options.log(`round ${round + 1} of ${options.rounds}`)
    for (const { contestant, figures, failures } of samples) {
      try {
        const { perSecond: _, ...steady } = await measure(contestant, options.rate, options, undo)
        const mostPerSecond = await climb(contestant, options, undo)
        figures.push({ ...steady, mostPerSecond })
        const each = `${steady.answeringMs.toFixed(3)} ms of processor time each`
        options.log(`  ${contestant.name}: ${each}, ${mostPerSecond.toFixed(0)}/s at most`)
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        failures.push(reason)
        options.log(`  ${contestant.name} failed: ${reason}`)
      }
    }
  }
  return samples.map(({ contestant, figures, failures }) => {
    const of = (name: keyof Figures) => median(figures.map((one) => one[name]))
    const row = {
      server: contestant.name,
      mostPerSecond: of('mostPerSecond'),
      doneShare: of('doneShare'),
      answeringMs: of('answeringMs'),
      allMs: of('allMs'),
      offerMs: of('offerMs'),
      ackMs: of('ackMs'),
    }
    if (failures.length === 0) return row
    return { ...row, failed: `${failures.length} of ${options.rounds}: ${failures[0]}` }
  })
}

/** Raises the rate until the server fails to keep up twice: once may be another program's doing. */
async function climb(contestant: DhcpContestant, options: DhcpBenchOptions, undo: Undo): Promise<number> {
  let most = 0
  let isSecondTry = false
  for (let rate = options.rate; rate < rateMost; ) {
    const { perSecond, doneShare } = await measure(contestant, rate, options, undo)
    options.log(`    ${contestant.name} at ${rate.toFixed(0)}/s: ${(doneShare * 100).toFixed(1)} %`)
    if (doneShare >= doneShareLeast) {
      most = Math.max(most, perSecond)
      rate *= step
      isSecondTry = false
    } else if (isSecondTry) break
    else isSecondTry = true
  }
  return most
}

/** Each run has its own wire, directory and server, so no leases and no neighbour entries are left over. */
async function measure(
  contestant: DhcpContestant,
  rate: number,
  options: DhcpBenchOptions,
  undo: Undo,
): Promise<Run> {
  const directory = mkdtempSync(join(options.directory, `bwdhcp-${process.pid}-`))
  const wire = makeWire()
  // Its processes end with it.
  const end = () => {
    wire.remove()
    rmSync(directory, { recursive: true, force: true })
  }
  undo.add(end)
  try {
    const server = await contestant.start(wire.server, directory)
    try {
      const before = server.cost()
      const { done, asked, seconds, offerMs, ackMs } = await runPerfdhcp(
        wire.client,
        Math.round(rate),
        options.seconds,
      )
      const after = server.cost()
      if (done === 0) throw new Error(`none of ${asked} exchanges was answered`)
      return {
        perSecond: done / seconds,
        doneShare: done / asked,
        answeringMs: ((after.answering - before.answering) * 1000) / done,
        allMs: ((after.all - before.all) * 1000) / done,
        offerMs,
        ackMs,
      }
    } finally {
      await server.stop()
    }
  } finally {
    end()
  }
}
