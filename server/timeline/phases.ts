/** How long each phase of a boot took, from its events. Pure. */
import { inOrder, type TimelineEvent } from '../../src/timeline.js'

/**
 * The phases, in the order of a boot. `dhcp`: until the boot program is asked for; `program`: until its script is; `queue`: until
 * the turn; `files`: kernel and stage 1; `start`: until the agent runs; `manifest`; `artifacts`: until all are downloaded;
 * `unpack`: what was left to unpack then; `switch_root`: until the agent hands over to the root.
 */
export const bootPhases = [
  'dhcp',
  'program',
  'queue',
  'files',
  'start',
  'manifest',
  'artifacts',
  'unpack',
  'switch_root',
] as const
/** One of them. */
export type BootPhase = (typeof bootPhases)[number]

/** A phase that the boot has come to; milliseconds since 1970 by the server's clock. */
export interface PhaseSpan {
  readonly phase: BootPhase
  readonly startedMs: number
  /** Undefined: it is not over. */
  readonly endedMs: number | undefined
}

/**
 * The phases of a boot, in order. Those that nobody has seen begin are left out: an agent that was started by hand has no `dhcp`.
 *
 * @param events of one boot
 */
export function phasesOf(events: readonly TimelineEvent[]): PhaseSpan[] {
  const marks = [...beforeTheAgent(events), ...ofTheAgent(events)]
  const spans: PhaseSpan[] = []
  for (const [n, phase] of bootPhases.entries()) {
    const startedMs = marks[n]
    if (startedMs === undefined) continue
    // Clocks and processes differ by moments: no phase ends before it begins.
    const begunMs = Math.max(startedMs, spans.at(-1)?.endedMs ?? startedMs)
    const next = marks.slice(n + 1).find((mark) => mark !== undefined)
    spans.push({
      phase,
      startedMs: begunMs,
      endedMs: next === undefined ? undefined : Math.max(next, begunMs),
    })
  }
  return spans
}

type Mark = number | undefined

/** When `dhcp`, `program`, `queue`, `files` and `start` began. */
function beforeTheAgent(events: readonly TimelineEvent[]): Mark[] {
  const ordered = inOrder(events).filter(({ source }) => source !== 'agent')
  const first = (isIt: (type: string) => boolean) => ordered.find(({ type }) => isIt(type))
  const last = (wanted: string) => ordered.findLast(({ type }) => type === wanted)?.timeMs
  const program = first((type) => type.startsWith('program.'))
  const seconds = program?.data.seconds
  // It is told of when it has ended.
  const programMs = program && program.timeMs - (typeof seconds === 'number' ? seconds * 1000 : 0)
  const dhcpMs = first((type) => type.startsWith('dhcp.'))?.timeMs
  const scriptMs = first((type) => type.startsWith('script.') || type.startsWith('queue.'))?.timeMs
  return [
    // iPXE in the card's ROM loads no program, and neither does its DHCP come after one.
    dhcpMs === undefined || (scriptMs !== undefined && dhcpMs > scriptMs) ? undefined : dhcpMs,
    programMs,
    scriptMs,
    last('queue.turn'),
    last('stage1.sent'),
  ]
}

/** When `manifest`, `artifacts`, `unpack` and `switch_root` began, and when the last one ended. */
function ofTheAgent(events: readonly TimelineEvent[]): Mark[] {
  const own = events.filter(({ source }) => source === 'agent')
  // Its events come in batches: its own clock says when they happened. The quickest one tells when that clock began.
  const clockMs = Math.min(...own.map(({ timeMs, senderMs = 0 }) => timeMs - senderMs))
  const at = (event: TimelineEvent | undefined): Mark => event && clockMs + (event.senderMs ?? 0)
  const last = (wanted: string) => own.findLast(({ type }) => type === wanted)
  const verified = last('manifest.verified')
  const completed = last('boot.completed')
  const lastOfAll = (type: string): Mark => {
    const found = own.filter((event) => event.type === type)
    const names = new Set(found.map(({ data }) => data.name))
    const count = verified?.data.artifacts
    return completed !== undefined || (typeof count === 'number' && names.size >= count)
      ? at(found.at(-1))
      : undefined
  }
  return [
    at(own.find(({ type }) => type === 'boot.started')),
    at(verified),
    lastOfAll('artifact.downloaded'),
    lastOfAll('artifact.unpacked'),
    at(completed),
  ]
}
