/** `bootswarm node why`: where the newest boots of nodes stopped. */
import { printJson, printLines, printText } from '../../host/console.js'
import type { OperatorWhy } from '../../server/api/operators/schemas.js'
import { printable } from '../../src/text.js'
import { askEach } from './ask-each.js'
import { didStop, nodesOf } from './node-list.js'
import type { Session } from './session.js'
import { formatTable } from './table.js'
import { formatDuration, formatFacts, formatTime } from './words.js'

/** Of the waterfall, characters. */
const barLength = 30

/** Of one node all there is to say, of several a line each. Without NODES and --where: of those that stopped. */
export async function explainNodes({ call, client, width }: Session): Promise<number> {
  const [hostlist] = call.words
  const { nodes: found, areAllThere } = await nodesOf(client, call, hostlist)
  const isOpen = hostlist === undefined && !call.flags.has('where')
  const nodes = isOpen ? found.filter(didStop) : found
  const reasons = [...(await askEach(nodes, (id) => client.why(id))).values()]
  const [only] = reasons
  if (call.flags.has('json')) printJson(reasons, 2)
  else if (only === undefined) {
    if (areAllThere) printLines([isOpen ? 'no node has stopped' : 'no node matches'])
  } else if (reasons.length === 1) printLines([titleOf(only), ...whyLines(only, Date.now())])
  else printText(whyTable(reasons, width).join(''))
  return areAllThere ? 0 : 1
}

function titleOf({ id, mac, state }: OperatorWhy): string {
  return `${id}${mac === null || mac === id ? '' : ` (${mac})`}: ${state}`
}

/** The reason, the waterfall, and what came last. */
export function whyLines(
  { cause, text, page, phases, last, alarms = [] }: OperatorWhy,
  nowMs: number,
): string[] {
  return [
    `${cause}: ${text}`,
    ...(didStop({ cause }) ? [`see ${page}`] : []),
    ...alarms.map((alarm) => `ALARM ${formatTime(alarm.at_ms)}: ${alarm.text}`),
    ...waterfall(phases, nowMs),
    ...(last === null
      ? []
      : [
          `last: ${formatTime(last.at_ms)}, ${formatDuration((nowMs - last.at_ms) / 1000)} ago: ${last.type} ${formatFacts(last.data)}`.trimEnd(),
        ]),
  ].map((line) => `  ${printable(line)}`)
}

/** A line for each phase: how long it took, and where in the boot it lay. One that is not over goes up to now. */
export function waterfall(phases: OperatorWhy['phases'], nowMs: number): string[] {
  const [first] = phases
  if (first === undefined) return []
  const endOf = ({ ended_ms: endedMs }: OperatorWhy['phases'][number]) => endedMs ?? nowMs
  const beganMs = first.started_ms
  const wholeMs = Math.max(1, ...phases.map((phase) => endOf(phase) - beganMs))
  const column = (ms: number) => Math.round((barLength * Math.max(0, ms - beganMs)) / wholeMs)
  return phases.map((phase) => {
    const tookS = Math.max(0, endOf(phase) - phase.started_ms) / 1000
    const from = Math.min(column(phase.started_ms), barLength - 1)
    const bar = '#'.repeat(Math.max(1, column(endOf(phase)) - from))
    const took = `${tookS < 100 ? `${tookS.toFixed(1)} s` : formatDuration(tookS)}${phase.ended_ms === null ? '...' : ''}`
    return `${phase.phase.padEnd(12)}${took.padStart(10)}  ${' '.repeat(from)}${bar}`
  })
}

/** A line for each node, then the pages that help. */
function whyTable(reasons: readonly OperatorWhy[], width: number | undefined): string[] {
  const columns = [
    { title: 'NODE', of: ({ id }: OperatorWhy) => id, min: 8 },
    { title: 'STATE', of: ({ state }: OperatorWhy) => state },
    { title: 'CAUSE', of: ({ cause }: OperatorWhy) => cause },
    { title: 'WHY', of: ({ text }: OperatorWhy) => text, min: 20 },
  ]
  const counts = new Map<string, number>()
  for (const reason of reasons) {
    if (didStop(reason)) counts.set(reason.page, (counts.get(reason.page) ?? 0) + 1)
  }
  const pages = [...counts].sort(([, a], [, b]) => b - a).map(([page, count]) => `${count}: see ${page}`)
  // A server of before answers without.
  const alarms = reasons.flatMap(({ id, alarms: some = [] }) =>
    some.map(({ text }) => `ALARM ${id}: ${text}`),
  )
  if (alarms.length > 0) pages.push('', ...alarms)
  return [...formatTable(columns, reasons, width), ...(pages.length > 0 ? [''] : []), ...pages].map(
    (line) => `${printable(line)}\n`,
  )
}
