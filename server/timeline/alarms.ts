/** Events that say that somebody tried in a node's name (docs/tickets.md), in words for people. Pure. */
import { inOrder, type TimelineEvent } from '../../src/timeline.js'

const texts: Readonly<Record<string, (data: TimelineEvent['data']) => string>> = {
  'ticket.refused': (data) => {
    const by = from(data)
    switch (data.why) {
      case 'used':
        return `Its ticket was redeemed from ${data.redeemed_from}, and presented again ${by}: one of the two is not this node`
      case 'address':
        return `Its ticket was given to ${data.issued_to}, and presented ${by}`
      case 'node':
        return `Its ticket was presented ${by} for another node`
      case 'expired':
        return `Its ticket had expired when it was presented ${by}`
      default:
        return `Its ticket was presented ${by} without a right signature`
    }
  },
  'report.refused': (data) => `Reports in its name were refused ${from(data)} (${data.why})`,
  'manifest.unproven': (data) => `Its manifest was requested ${from(data)} without its key`,
}

/** Of one boot so many are shown. */
const shownMax = 8

/** An alarm. */
export interface Alarm {
  readonly timeMs: number
  readonly text: string
}

/** Whether it is one: it says nothing of the machine itself. */
export function isAlarm(type: string): boolean {
  return Object.hasOwn(texts, type)
}

/** The newest alarms among events, oldest first, each text once. */
export function alarmsOf(events: readonly TimelineEvent[]): Alarm[] {
  const byText = new Map<string, Alarm>()
  for (const { source, type, data, timeMs } of inOrder(events)) {
    const text = source === 'http' ? texts[type]?.(data) : undefined
    if (text === undefined) continue
    byText.delete(text)
    byText.set(text, { timeMs, text })
  }
  return [...byText.values()].slice(-shownMax)
}

function from({ from: address }: TimelineEvent['data']): string {
  return `from ${address}`
}
