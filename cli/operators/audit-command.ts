/** `bootswarm audit`: who changed what, the newest last. */
import { printJson, printLines } from '../../host/console.js'
import { readLast } from './node-events.js'
import { auditOutline } from './outlines.js'
import { withSession } from './session.js'
import { formatTime } from './words.js'

/** Runs the command. */
export function main(args: readonly string[]): Promise<number> {
  return withSession(auditOutline, args, async ({ call, client }) => {
    const lines = await client.audit(readLast(call.flags.get('last')))
    if (call.flags.has('json')) printJson(lines, 2)
    else {
      const texts = [...lines]
        .reverse()
        .map(({ at_ms: atMs, who, address, action, target, detail }) =>
          [formatTime(atMs), `${who} from ${address}:`, action, target, detail].filter(Boolean).join(' '),
        )
      printLines(texts)
    }
    return 0
  })
}
