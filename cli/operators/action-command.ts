/** `bootswarm action ...`: the actions at nodes that the server does. */
import { printJson, printLines, printText } from '../../host/console.js'
import type { OperatorActionSummary } from '../../server/api/operators/schemas.js'
import { followAction } from './follow-action.js'
import { actionOutline } from './outlines.js'
import { type Session, withSession } from './session.js'
import { formatTable } from './table.js'
import { formatTime } from './words.js'

const parts: Readonly<Record<string, (session: Session) => Promise<number>>> = {
  list: listActions,
  follow: async (session) => followAction(session, await session.client.action(session.call.words[0] ?? '')),
  stop: stopAction,
}

/** Runs the part that the first argument names. */
export function main(args: readonly string[]): Promise<number> {
  return withSession(actionOutline, args, async (session) => {
    const run = parts[session.call.path.at(-1) ?? '']
    if (run === undefined) throw new Error(`${session.call.path.join(' ')} has no code`)
    return run(session)
  })
}

async function listActions({ call, client, width }: Session): Promise<number> {
  const actions = await client.actions()
  if (call.flags.has('json')) {
    printJson(actions, 2)
    return 0
  }
  const columns = [
    { title: 'ID', of: ({ id }: OperatorActionSummary) => id },
    { title: 'KIND', of: ({ kind }: OperatorActionSummary) => kind },
    { title: 'STATE', of: ({ state }: OperatorActionSummary) => state },
    { title: 'NODES', of: ({ total }: OperatorActionSummary) => String(total), isRight: true },
    { title: 'DONE', of: ({ done }: OperatorActionSummary) => String(done), isRight: true },
    { title: 'FAILED', of: ({ failed }: OperatorActionSummary) => String(failed), isRight: true },
    { title: 'STARTED', of: ({ started_ms: ms }: OperatorActionSummary) => formatTime(ms) },
    { title: 'BY', of: ({ who }: OperatorActionSummary) => who, min: 8 },
    { title: 'WHY', of: ({ why }: OperatorActionSummary) => why, min: 8 },
  ]
  printText(
    formatTable(columns, actions, width)
      .map((line) => `${line}\n`)
      .join(''),
  )
  return 0
}

async function stopAction({ call, client }: Session): Promise<number> {
  const [id = ''] = call.words
  const isDry = call.flags.has('dry-run')
  const action = isDry ? await client.action(id) : await client.stopAction(id)
  if (call.flags.has('json')) printJson(action, 2)
  else {
    const left = action.nodes.filter(({ state }) => state === (isDry ? 'waiting' : 'left')).length
    printLines([
      isDry
        ? `would stop action ${id}, ${left} nodes would be left; nothing was changed`
        : `stopped action ${id}: ${action.done} done, ${action.failed} failed, ${left} left`,
    ])
  }
  return 0
}
