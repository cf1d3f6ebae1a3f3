/** `bootswarm node ...`. */
import { approveNodes, drainNodes, forgetNodes, labelNodes, setNextBoot } from './node-change.js'
import { showEvents } from './node-events.js'
import { listNodes } from './node-list.js'
import { rebootNodes, wakeNodes } from './node-power.js'
import { showNodes } from './node-show.js'
import { explainNodes } from './node-why.js'
import { nodeOutline } from './outlines.js'
import { type Session, withSession } from './session.js'

const parts: Readonly<Record<string, (session: Session) => Promise<number>>> = {
  list: listNodes,
  show: showNodes,
  why: explainNodes,
  events: showEvents,
  label: labelNodes,
  approve: approveNodes,
  drain: drainNodes,
  'next-boot': setNextBoot,
  wake: wakeNodes,
  reboot: rebootNodes,
  forget: forgetNodes,
}

/** Runs the part that the first argument names. */
export function main(args: readonly string[]): Promise<number> {
  return withSession(nodeOutline, args, async (session) => {
    const run = parts[session.call.path.at(-1) ?? '']
    if (run === undefined) throw new Error(`${session.call.path.join(' ')} has no code`)
    return run(session)
  })
}
