/** Farms as they are wired, each simulated with several seeds: the table of `npm run bench:sim -- --layouts`. Runs nothing itself. */
import { parseArgs } from 'node:util'
import { BootswarmError } from '../../src/errors.js'
import { median } from '../agent/measure.js'
import type { Simulated } from '../storm/simulate.js'

/** A farm and what it boots. */
interface Farm {
  readonly name: string
  /** As `swarm-sim --topology` takes it. */
  readonly topology: string
  /** The same shape with few nodes. */
  readonly small: string
  readonly payloadMb: number
  readonly linkMbit: number
  readonly faults?: readonly string[]
}

const gigabit = { payloadMb: 130, linkMbit: 1000 }
const faults = ['--kill', '5%', '--slow', '5%', '--corrupt', '2']
/** Racks from the smallest to the largest container, 1,000 nodes. */
const mixed = '6,16,24,24,30,48,60,96,120,126,200,250'

const farms: readonly Farm[] = [
  { name: '2x48', topology: '2x48', small: '2x12', payloadMb: 16, linkMbit: 4 },
  { name: '2x120', topology: '2x120', small: '2x16', payloadMb: 12, linkMbit: 3 },
  { name: '2x240', topology: '2x240', small: '2x20', ...gigabit },
  { name: '50x10', topology: '50x10', small: '6x3', ...gigabit },
  { name: 'line', topology: 'line:10x24', small: 'line:4x5', ...gigabit },
  { name: 'tree', topology: 'tree:3:13x24', small: 'tree:2:5x4', ...gigabit },
  { name: 'mixed', topology: mixed, small: '2,4,8,16', ...gigabit },
  { name: 'flat', topology: '500', small: '20', ...gigabit },
  { name: '21x24', topology: '21x24', small: '4x6', ...gigabit },
  { name: '21x24-faults', topology: '21x24', small: '4x8', ...gigabit, faults },
  { name: '4x60-faults', topology: '4x60', small: '2x15', ...gigabit, faults },
  { name: 'flat-1gb', topology: '500', small: '20', payloadMb: 1000, linkMbit: 1000 },
  { name: '21x24-1gb', topology: '21x24', small: '4x6', payloadMb: 1000, linkMbit: 1000 },
  { name: '210x24', topology: '210x24', small: '12x4', ...gigabit },
  { name: '21x240', topology: '21x240', small: '4x16', ...gigabit },
]

/** What a test can wait for. */
const smallMb = 2

/** What to simulate. */
export interface LayoutOptions {
  readonly farms: readonly Farm[]
  readonly isSmall: boolean
  readonly seeds: readonly number[]
}

/** @throws BootswarmError USAGE_INVALID */
export function parseLayoutOptions(args: readonly string[]): LayoutOptions {
  const { layouts: _, ...values } = parseStrictly(args)
  const seeds = (values.seeds ?? '1,2,3').split(',').map(Number)
  if (!seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0)) {
    throw new BootswarmError('USAGE_INVALID', '--seeds wants whole numbers, as 1,2,3')
  }
  const names = values.only?.split(',')
  const unknown = names?.find((name) => !farms.some((farm) => farm.name === name))
  if (unknown !== undefined) {
    const all = farms.map(({ name }) => name).join(', ')
    throw new BootswarmError('USAGE_INVALID', `--only: there is no ${unknown}; there are ${all}`)
  }
  const chosen = farms.filter(({ name }) => !names || names.includes(name))
  return { farms: chosen, isSmall: values.small === true, seeds }
}

function parseStrictly(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        layouts: { type: 'boolean' },
        small: { type: 'boolean' },
        seeds: { type: 'string' },
        only: { type: 'string' },
      },
    }).values
  } catch (error) {
    throw new BootswarmError('USAGE_INVALID', error instanceof Error ? error.message : String(error))
  }
}

/** Arguments of swarm-sim. */
export function simulatorArguments(farm: Farm, isSmall: boolean, seed: number): string[] {
  const topology = isSmall ? farm.small : farm.topology
  const payloadMb = isSmall ? smallMb : farm.payloadMb
  return [
    ...['--topology', topology, '--payload-mb', String(payloadMb), '--link-mbit', String(farm.linkMbit)],
    ...['--seed', String(seed), ...(farm.faults ?? [])],
  ]
}

/** One run and how long it took. */
export interface Run {
  readonly found: Simulated
  readonly tookS: number
}

const columns = ['layout', 'topology', 'last/floor', 'p99/floor', 'uplink copies', 'failed', 'seconds']
const widths = [14, 42, 11, 10, 14, 7, 8]

/** The names of the columns. */
export function layoutHeader(): string {
  return line(columns)
}

/** One farm's row: medians of its runs, failures and seconds of all together. Nodes with slow links do not count in the times. */
export function layoutRow(farm: Farm, isSmall: boolean, runs: readonly Run[]): string {
  const figures = (name: string) => runs.map(({ found }) => Number(found[name]))
  const middle = (name: string) => median(figures(name)).toFixed(3)
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  const topology = isSmall ? farm.small : farm.topology
  const hasUplinks = /[,x:]/.test(topology)
  return line([
    farm.name,
    topology,
    middle('last_fast_over_floor'),
    middle('healthy_p99_over_floor'),
    hasUplinks ? middle('uplink_copies_max') : '-',
    String(sum(figures('failed'))),
    sum(runs.map(({ tookS }) => tookS)).toFixed(1),
  ])
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, at) => (at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
    .join(' ')
    .trimEnd()
}
