/**
 * Where a boot stopped, and the page that helps: from the events of a node or a machine and the time. Pure.
 *
 * Rules are asked from the last stage of a boot to the first: the one that the boot has come to answers. Each leaves a machine
 * the time that it usually takes before it says that it stopped.
 */
import { isBootEventType } from '../../src/events.js'
import { inventoryType } from '../../src/inventory.js'
import { inOrder, type TimelineEvent } from '../../src/timeline.js'
import { isAlarm } from './alarms.js'

/** The causes, in the order of a boot. Each has a section in docs/troubleshooting.md. */
export const stopCauses = [
  'NOT_SEEN',
  'UNDER_WAY',
  'NO_DHCP_ANSWER',
  'DHCP_REFUSED',
  'OTHER_SERVER_CHOSEN',
  'OFFER_NOT_TAKEN',
  'PROGRAM_REFUSED',
  'TFTP_STOPPED_AFTER_SIZE',
  'PROGRAM_BROKEN_OFF',
  'NO_SCRIPT_ASKED',
  'NOT_ADMITTED',
  'DRAINED',
  'NEXT_BOOT',
  'SCRIPT_REFUSED',
  'IN_QUEUE',
  'KERNEL_NOT_FETCHED',
  'BOOT_FILES_BROKEN_OFF',
  'NO_AGENT',
  'LOST',
  'AGENT_FAILED',
  'BOOTED',
] as const
/** One of them. */
export type StopCause = (typeof stopCauses)[number]

/** Where a boot stopped. */
export interface Stop {
  readonly cause: StopCause
  /** For people, one sentence. */
  readonly text: string
  /** The section of the troubleshooting guide, as a path in the source tree. */
  readonly page: string
}

/**
 * How long a machine may be silent before it counts as stopped, milliseconds. DHCP: EDK2 collects offers for up to 32 s.
 * Program: iPXE brings its card up, and waits 15 s for an IPv6 router. Files: the kernel starts, and stage 1 finds its network.
 * Agent: as in nodes/state.ts.
 */
const patienceMs = { dhcp: 40_000, program: 60_000, script: 30_000, files: 60_000, agent: 120_000 } as const

/** Where one stopped that has not. */
export const hasBooted: Stop = stop('BOOTED', 'It has booted')

/** Tells where the newest boot among these events stopped; they are of one node or machine. */
export function whereItStopped(events: readonly TimelineEvent[], nowMs: number): Stop {
  const boot = new Boot(events, nowMs)
  for (const rule of [agentStop, filesStop, queueStop, scriptStop, programStop, dhcpStop]) {
    const found = rule(boot)
    if (found !== undefined) return found
  }
  return stop('NOT_SEEN', 'Nothing was heard of this machine')
}

/** The events of one boot, and the time. */
class Boot {
  readonly #events: readonly TimelineEvent[]
  readonly #nowMs: number

  constructor(events: readonly TimelineEvent[], nowMs: number) {
    const ordered = inOrder(events)
    const newest = ordered.findLast(({ boot }) => boot !== undefined)?.boot
    this.#events = newest === undefined ? ordered : ordered.filter(({ boot }) => boot === newest)
    this.#nowMs = nowMs
  }

  /** The last event of these types. */
  last(...types: readonly string[]): TimelineEvent | undefined {
    // A newer agent may call an event of its own as the server does.
    return this.#events.findLast(
      ({ type, source }) => types.includes(type) && (source === 'agent') === isBootEventType(type),
    )
  }

  lastLike(isIt: (event: TimelineEvent) => boolean): TimelineEvent | undefined {
    return this.#events.findLast(isIt)
  }

  /** Whether it has been silent for so long. */
  isSilent(ms: number): boolean {
    const heardMs = this.#events.findLast(({ type }) => type !== 'node.lost' && !isAlarm(type))?.timeMs
    return heardMs === undefined || this.#nowMs - heardMs >= ms
  }
}

function agentStop(boot: Boot): Stop | undefined {
  const last = boot.lastLike(({ source, type }) => source === 'agent' || type === 'manifest.sent')
  if (last === undefined) return undefined
  if (boot.last('boot.completed', 'seeding.ended', 'artifact.dropped') !== undefined) return hasBooted
  const failed = boot.last('boot.failed')
  // What the machine is, is told beside the boot.
  const aside = ['boot.failed', inventoryType]
  const wentOn = boot.lastLike(({ source, type }) => source === 'agent' && !aside.includes(type))
  if (failed !== undefined && (wentOn === undefined || isBefore(wentOn, failed))) {
    return stop('AGENT_FAILED', `Its agent failed: ${text(failed, 'code')}: ${text(failed, 'message')}`)
  }
  const doing = boot.last('progress', 'artifact.started', 'artifact.downloaded', 'artifact.unpacked')
  const where = doing === undefined ? 'before it downloaded anything' : placeOf(boot)
  if (boot.isSilent(patienceMs.agent)) return stop('LOST', `Its agent reported, and fell silent ${where}`)
  return underWay(`Its agent runs, ${where}`)
}

function placeOf(boot: Boot): string {
  const progress = boot.last('progress')
  if (progress === undefined) return 'while it downloaded'
  const [done, total] = [number(progress, 'done_bytes'), number(progress, 'total_bytes')]
  return `with ${megabytes(done)} of ${megabytes(total)} MB`
}

function filesStop(boot: Boot): Stop | undefined {
  const ended = boot.last('kernel.sent', 'kernel.broken-off', 'stage1.sent', 'stage1.broken-off')
  const again = boot.last('script.asked', 'script.refused', 'queue.waiting', 'queue.turn')
  if (ended === undefined || isBefore(ended, again)) return undefined
  if (ended.type.endsWith('.broken-off')) {
    const what = `${text(ended, 'file')} after ${megabytes(number(ended, 'bytes'))} MB`
    return stop('BOOT_FILES_BROKEN_OFF', `It broke off the download of ${what}`)
  }
  if (ended.type === 'kernel.sent') {
    if (!boot.isSilent(patienceMs.files)) return underWay('It has its kernel')
    return stop('BOOT_FILES_BROKEN_OFF', `It has ${text(ended, 'file')}, and did not fetch stage 1`)
  }
  const refused = refusedAfter(boot, ended)
  if (refused !== undefined) return refused
  if (!boot.isSilent(patienceMs.files)) return underWay('It has kernel and stage 1')
  const asked = boot.lastLike(({ type, data }) => type === 'dhcp.seen' && data.client === 'system')
  const more = isBefore(ended, asked) ? ': its Linux runs, and asked for an address' : ''
  return stop('NO_AGENT', `It has kernel and stage 1, and no agent reported${more}`)
}

function queueStop(boot: Boot): Stop | undefined {
  const last = boot.last('queue.waiting', 'queue.turn')
  if (last === undefined || isBefore(last, boot.last('script.refused'))) return undefined
  const isOver = boot.isSilent(patienceMs.script)
  if (last.type === 'queue.waiting') {
    const place = `number ${number(last, 'position')} of ${number(last, 'of')}`
    if (!isOver) return stop('IN_QUEUE', `It waits for its turn to load kernel and stage 1, ${place}`)
    return stop('KERNEL_NOT_FETCHED', `It waited for its turn as ${place}, and did not ask again`)
  }
  if (!isOver) return underWay('It may load kernel and stage 1')
  return stop('KERNEL_NOT_FETCHED', 'It got its boot script, and did not fetch the kernel')
}

function scriptStop(boot: Boot): Stop | undefined {
  const last = boot.last('script.asked', 'script.refused', 'next-boot.taken')
  if (last === undefined) return undefined
  const elsewhere = elsewheres.get(text(last, 'from'))
  if (elsewhere !== undefined)
    return stop('NEXT_BOOT', `An operator had it boot from ${elsewhere}, this once`)
  if (last.type === 'script.refused' && last.data.code === 'NODE_NOT_ADMITTED')
    return stop('NOT_ADMITTED', 'It asked for its boot script, and waits for an operator to approve it')
  if (last.type === 'script.refused' && last.data.code === 'NODE_DRAINED')
    return stop('DRAINED', `It asked for its boot script: ${text(last, 'why')}`)
  if (last.type === 'script.refused')
    return stop('SCRIPT_REFUSED', `It got no boot script: ${text(last, 'code')}: ${text(last, 'why')}`)
  if (!boot.isSilent(patienceMs.script)) return underWay('It asked for its boot script')
  return stop('KERNEL_NOT_FETCHED', 'It asked for its boot script, and did not fetch the kernel')
}

/** Where a next boot goes that does not end in an agent. */
const elsewheres: ReadonlyMap<string, string> = new Map([
  ['disk', 'its own disk'],
  ['shell', 'the shell of iPXE'],
])

function programStop(boot: Boot): Stop | undefined {
  const last = boot.last('program.sent', 'program.broken-off', 'program.refused')
  if (last === undefined) return undefined
  const refused = refusedAfter(boot, last)
  if (refused !== undefined) return refused
  if (!boot.isSilent(patienceMs.program)) return underWay('It loads its boot program')
  const file = text(last, 'file')
  if (last.type === 'program.refused') {
    return stop('PROGRAM_REFUSED', `It asked for ${file}: ${text(last, 'why')}`)
  }
  if (last.type === 'program.sent') {
    return stop('NO_SCRIPT_ASKED', `It loaded ${file}, and did not ask for a boot script`)
  }
  const why = text(last, 'why')
  if (number(last, 'bytes') === 0 && (why === 'error' || why === 'closed')) {
    return stop('TFTP_STOPPED_AFTER_SIZE', `It asked how large ${file} is, and did not load it`)
  }
  const what = `${number(last, 'bytes')} of ${number(last, 'of_bytes')} bytes (${why})`
  return stop('PROGRAM_BROKEN_OFF', `The download of ${file} ended after ${what}`)
}

function dhcpStop(boot: Boot): Stop | undefined {
  const refused = refusedAfter(boot)
  if (refused !== undefined) return refused
  if (boot.last('dhcp.seen') === undefined) return undefined
  if (!boot.isSilent(patienceMs.dhcp)) return underWay('It asked by DHCP')
  const answered = boot.last('dhcp.answered')
  const other = boot.lastLike(({ type, data }) => type === 'dhcp.seen' && 'other_server' in data)
  if (answered !== undefined && other !== undefined && isBefore(answered, other)) {
    return stop(
      'OTHER_SERVER_CHOSEN',
      `It took an address from ${text(other, 'other_server')}, and did not ask for the boot program that it was offered`,
    )
  }
  if (answered !== undefined) {
    return stop('OFFER_NOT_TAKEN', 'It was offered a boot program, and did not ask for it')
  }
  return stop('NO_DHCP_ANSWER', 'It asked by DHCP, and was not answered')
}

/** What DHCP refused last, after that event, unless it answered since. */
function refusedAfter(boot: Boot, event?: TimelineEvent): Stop | undefined {
  const refused = boot.last('dhcp.refused')
  if (refused === undefined || isBefore(refused, event) || isBefore(refused, boot.last('dhcp.answered')))
    return undefined
  const why = text(refused, 'why')
  const reason = why === '' ? text(refused, 'reason') : why
  return stop('DHCP_REFUSED', `DHCP did not give it what it asked for: ${reason}`)
}

function underWay(what: string): Stop {
  return stop('UNDER_WAY', what)
}

function stop(cause: StopCause, sentence: string): Stop {
  return { cause, text: sentence, page: `docs/troubleshooting.md#${cause.toLowerCase()}` }
}

function isBefore(event: TimelineEvent, other: TimelineEvent | undefined): boolean {
  if (other === undefined) return false
  return event.timeMs === other.timeMs ? event.id < other.id : event.timeMs < other.timeMs
}

function text({ data }: TimelineEvent, name: string): string {
  const value = data[name]
  return typeof value === 'string' ? value : ''
}

function number({ data }: TimelineEvent, name: string): number {
  const value = data[name]
  return typeof value === 'number' ? value : 0
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
