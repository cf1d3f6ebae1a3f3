/** The parameters of a storm: the command line of `npm run bench:storm`. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { BootswarmError } from '../../src/errors.js'
import { evenRacks, parseTopology, type RackShape } from './topology.js'

/** When the nodes arrive. */
export type Arrivals =
  | { readonly kind: 'at-once' }
  /** As they get a stage 1 of so many bytes, a few at a time through the server's link. */
  | { readonly kind: 'server'; readonly stage1Bytes: number }
  /** Seconds after the start, one for each node; more nodes begin again from the first. */
  | { readonly kind: 'file'; readonly path: string; readonly offsetsS: readonly number[] }

/** What may be measured beside the agents. */
const baselineNames = ['https', 'aria2', 'libtorrent', 'libtorrent-super', 'udpcast'] as const
/** One of {@link baselineNames}. */
export type BaselineName = (typeof baselineNames)[number]

/** What the payload is: a tar that every node unpacks into memory, or a squashfs that it hands over as it came. */
const payloadFormats = ['tar', 'squashfs'] as const
/** One of {@link payloadFormats}. */
export type PayloadFormat = (typeof payloadFormats)[number]

/** What a hostile peer does when it is asked for a block: send wrong bytes, or nothing. */
const corruptKinds = ['wrong', 'silent'] as const
/** One of {@link corruptKinds}. */
export type CorruptKind = (typeof corruptKinds)[number]

/** A whole storm. */
export interface StormOptions {
  readonly nodes: number
  /** Nodes of a rack, of the largest one; 0: one flat network. */
  readonly rackSize: number
  readonly racks: readonly RackShape[]
  /** As `--topology` said it; empty: even racks. */
  readonly topology: string
  /** Rate of every link, both ways, 10^6 bits a second. */
  readonly linkMbit: number
  readonly payloadBytes: number
  readonly format: PayloadFormat
  readonly arrivals: Arrivals
  /** Share of the nodes that is killed in mid-download, 0-1. */
  readonly killShare: number
  /** Share of the nodes at a tenth of the rate, 0-1. */
  readonly slowShare: number
  /** Additional peers that claim everything and mean harm. */
  readonly corrupt: number
  readonly corruptKind: CorruptKind
  readonly serverRestart: boolean
  readonly serverGone: boolean
  readonly seed: number
  readonly baselines: readonly BaselineName[]
  /** Also find peers by LSD and DHT; off: the tracker alone (docs/bench.md says why). */
  readonly discovery: boolean
  /** Run the same storm in the simulator too. */
  readonly simulation: boolean
  /** 0: chosen by the floor. */
  readonly timeoutS: number
  /** Most nodes of a baseline; 0: as many as make sense for each. */
  readonly baselineNodes: number
  /** Where memory-backed scratch files go. */
  readonly directory: string
  readonly json?: string
  readonly html?: string
}

/** The text of `--help`. */
export const usage = `npm run bench:storm -- [options]       (root, Linux)
  --nodes N           nodes that boot (500)
  --rack-size N       nodes of a rack, 0: one flat network (24)
  --topology FARM     instead of these two: racks of these sizes, as 6,24,2x48, at the core; line:10x24, each behind the one
                      before; tree:3:13x24, up to three behind each; 500: one network
  --link-mbit M       rate of every link, both ways (8)
  --payload-mb M      bytes that each node fetches, 10^6 (13)
  --format KIND       tar, unpacked by every node, or squashfs, handed over: it is in memory once (tar)
  --arrivals WHEN     at-once, server (as a stage 1 through the server lets them), or a file of seconds (at-once)
  --stage1-mb M       size of that stage 1 (10 / 130 of the payload)
  --kill 5%           nodes killed in mid-download
  --slow 5%           nodes at a tenth of the rate
  --corrupt N         additional peers that claim every piece and mean harm
  --corrupt-kind KIND what these send when they are asked: wrong bytes, or nothing: silent (wrong)
  --server-restart    kill and start the server in mid-storm
  --server-gone       kill the server after the first full copy
  --seed N            chooses the victims, the payload and the times (1)
  --baselines LIST    none, all, or of: ${baselineNames.join(', ')} (all)
  --baseline-nodes N  run baselines with so many nodes (default: what each can bear)
  --discovery         let the agents use LSD and DHT too
  --no-simulation     do not run the same storm in the simulator afterwards
  --timeout-s N       give up after so long (default: 8 floors, 30 with slow nodes)
  --directory DIR     scratch files, in memory (/dev/shm)
  --json FILE         the result (docs/storm.schema.json)
  --html FILE         the report with pictures
`

/**
 * Reads the command line.
 * @throws {BootswarmError} USAGE_INVALID
 */
export function parseStormOptions(argv: readonly string[]): StormOptions {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  let values: Record<string, string | boolean | undefined>
  try {
    values = parseArgs({
      args: [...argv],
      options: {
        nodes: text,
        'rack-size': text,
        topology: text,
        'link-mbit': text,
        'payload-mb': text,
        format: text,
        arrivals: text,
        'stage1-mb': text,
        kill: text,
        slow: text,
        corrupt: text,
        'corrupt-kind': text,
        seed: text,
        baselines: text,
        'baseline-nodes': text,
        'timeout-s': text,
        directory: text,
        json: text,
        html: text,
        'server-restart': flag,
        'server-gone': flag,
        discovery: flag,
        'no-simulation': flag,
      },
    }).values
  } catch (error) {
    throw new BootswarmError('USAGE_INVALID', error instanceof Error ? error.message : String(error))
  }
  const number = (name: string, fallback: number, least: number, most: number): number => {
    const given = values[name]
    if (given === undefined) return fallback
    const value = Number(given)
    if (given === '' || !(value >= least && value <= most)) {
      throw new BootswarmError('USAGE_INVALID', `--${name}: ${String(given)} is not in ${least}-${most}`)
    }
    return value
  }
  const whole = (name: string, fallback: number, least: number, most: number): number =>
    Math.floor(number(name, fallback, least, most))
  const share = (name: string): number => {
    const match = /^(\d+(?:\.\d+)?)%?$/.exec(String(values[name] ?? '0'))
    if (!match || Number(match[1]) > 100)
      throw new BootswarmError('USAGE_INVALID', `--${name}: not a percentage`)
    return Number(match[1]) / 100
  }
  const payloadMb = number('payload-mb', 13, 0.01, 10_000)
  const stage1Mb = number('stage1-mb', (payloadMb * 10) / 130, 0.001, 10_000)
  if (values.topology !== undefined && (values.nodes ?? values['rack-size']) !== undefined) {
    throw new BootswarmError('USAGE_INVALID', '--topology says how many nodes and racks there are')
  }
  return {
    ...(values.topology === undefined
      ? evenFarm(whole('nodes', 500, 1, 4000), whole('rack-size', 24, 0, 250))
      : wiredFarm(String(values.topology))),
    linkMbit: number('link-mbit', 8, 0.1, 10_000),
    payloadBytes: Math.round(payloadMb * 1e6),
    format: oneOf('format', payloadFormats, String(values.format ?? 'tar')),
    arrivals: parseArrivals(String(values.arrivals ?? 'at-once'), stage1Mb * 1e6),
    killShare: share('kill'),
    slowShare: share('slow'),
    corrupt: whole('corrupt', 0, 0, 100),
    corruptKind: oneOf('corrupt-kind', corruptKinds, String(values['corrupt-kind'] ?? 'wrong')),
    serverRestart: values['server-restart'] === true,
    serverGone: values['server-gone'] === true,
    seed: whole('seed', 1, 0, 2 ** 32 - 1),
    baselines: parseBaselines(String(values.baselines ?? 'all')),
    baselineNodes: whole('baseline-nodes', 0, 0, 4000),
    discovery: values.discovery === true,
    simulation: values['no-simulation'] !== true,
    timeoutS: number('timeout-s', 0, 1, 86_400),
    directory: String(values.directory ?? '/dev/shm'),
    ...(typeof values.json === 'string' ? { json: values.json } : {}),
    ...(typeof values.html === 'string' ? { html: values.html } : {}),
  }
}

type Farm = Pick<StormOptions, 'nodes' | 'rackSize' | 'racks' | 'topology'>

/** Racks of one size, or one network: 0. */
export function evenFarm(nodes: number, rackSize: number): Farm {
  return { nodes, rackSize, racks: evenRacks(nodes, rackSize === 0 ? nodes : rackSize), topology: '' }
}

function wiredFarm(topology: string): Farm {
  const racks = parseTopology(topology)
  const sizes = racks.map(({ nodes }) => nodes)
  const nodes = sizes.reduce((sum, size) => sum + size, 0)
  return { nodes, rackSize: racks.length === 1 ? 0 : Math.max(...sizes), racks, topology }
}

function oneOf<Word extends string>(option: string, words: readonly Word[], word: string): Word {
  const found = words.find((known) => known === word)
  if (!found) throw new BootswarmError('USAGE_INVALID', `--${option}: ${word} is not one of ${words}`)
  return found
}

function parseArrivals(word: string, stage1Bytes: number): Arrivals {
  if (word === 'at-once') return { kind: 'at-once' }
  if (word === 'server') return { kind: 'server', stage1Bytes }
  let lines: string[]
  try {
    lines = readFileSync(word, 'utf8').split('\n')
  } catch {
    throw new BootswarmError('USAGE_INVALID', `--arrivals: neither at-once, server nor a file: ${word}`)
  }
  const offsetsS = lines.filter((line) => line.trim() !== '').map(Number)
  if (offsetsS.length === 0 || !offsetsS.every((offset) => offset >= 0 && offset <= 86_400)) {
    throw new BootswarmError('USAGE_INVALID', `--arrivals: ${word} must have one number of seconds a line`)
  }
  return { kind: 'file', path: word, offsetsS }
}

function parseBaselines(list: string): BaselineName[] {
  if (list === 'none') return []
  if (list === 'all') return [...baselineNames]
  return list.split(',').map((word) => oneOf('baselines', baselineNames, word))
}
