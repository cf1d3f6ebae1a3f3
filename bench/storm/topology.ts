/**
 * How a farm is wired, as `--topology` says it: the same words as the simulator's (`initramfs-agent/sim/src/layout.rs`).
 * No I/O.
 */
import { BootswarmError } from '../../src/errors.js'

/** A rack. */
export interface RackShape {
  readonly nodes: number
  /** The rack that its switch hangs behind; undefined: it hangs at the core, as the server does. */
  readonly behind: number | undefined
}

/** What addresses have room for: a /24 for each rack, less some for additional peers. */
const racksMax = 254
const rackNodesMax = 250
/** One network without racks. */
const flatNodesMax = 4_000

/**
 * `500`: one network; `6,24,48` or `21x24`: racks at the core; `line:10x24`: each behind the one before; `tree:3:13x24`: up to
 * three behind each, in their order.
 *
 * @throws BootswarmError USAGE_INVALID
 */
export function parseTopology(text: string): RackShape[] {
  const { ways, sizes } = parts(text)
  const nodes = readSizes(sizes)
  const most = nodes.length === 1 ? flatNodesMax : rackNodesMax
  if (!nodes.every((size) => size >= 1 && size <= most) || nodes.length > racksMax) throw wrong(text)
  return nodes.map((size, at) => ({
    nodes: size,
    behind: ways === 0 || at === 0 ? undefined : Math.floor((at - 1) / ways),
  }))
}

function parts(text: string): { readonly ways: number; readonly sizes: string } {
  const [, line, ways, sizes = ''] = /^(?:(line):|tree:(\d{1,3}):)?([^:]+)$/.exec(text) ?? []
  if (sizes === '' || Number(ways) === 0) throw wrong(text)
  return { ways: line === undefined ? Number(ways ?? 0) : 1, sizes }
}

function readSizes(text: string): number[] {
  return text.split(',').flatMap((item) => {
    const [, count = '1', size] = /^(?:(\d{1,3})x)?(\d{1,5})$/.exec(item) ?? []
    if (size === undefined || Number(count) === 0) throw wrong(text)
    return Array.from({ length: Number(count) }, () => Number(size))
  })
}

function wrong(text: string): BootswarmError {
  const what = `at most ${racksMax} racks of 1-${rackNodesMax} nodes, as 6,24,48, 21x24, line:10x24 or tree:3:13x24`
  return new BootswarmError('USAGE_INVALID', `--topology: ${text} is not ${what}`)
}

/** As even racks of a size as there are nodes for, filled one after the other. */
export function evenRacks(nodes: number, rackSize: number): RackShape[] {
  const count = Math.ceil(nodes / rackSize)
  return Array.from({ length: count }, (_, at) => ({
    nodes: Math.min(rackSize, nodes - at * rackSize),
    behind: undefined,
  }))
}
