/** Shows an action at nodes until it is over. It runs on the server: who stops looking stops nothing. */
import { complain, hint, printJson, printLines } from '../../host/console.js'
import type { OperatorAction } from '../../server/api/operators/schemas.js'
import { Progress } from './progress.js'
import type { Session } from './session.js'
import { countOf } from './words.js'

const everyMs = 1000
/** What a shell says of a program that Ctrl-C has ended: 128 and SIGINT. */
const interrupted = 130

/** Failures as they come, and what became of all; the exit code. */
export async function followAction({ call, client }: Session, begun: OperatorAction): Promise<number> {
  const leave = () => {
    hint('')
    complain(
      `action ${begun.id} goes on: bootswarm action follow ${begun.id} shows it, bootswarm action stop ${begun.id} ends it`,
    )
    process.exit(interrupted)
  }
  process.once('SIGINT', leave)
  const progress = new Progress(begun.total)
  const told = new Set<string>()
  let action = begun
  for (;;) {
    for (const { id, state, why } of action.nodes) {
      if (state !== 'failed' || told.has(id)) continue
      told.add(id)
      hint('')
      complain(`${id}: ${why}`)
    }
    progress.show(action.done + action.failed)
    if (action.state !== 'running') break
    await new Promise((resolve) => setTimeout(resolve, everyMs))
    const isFirst = action === begun
    action = await client.action(begun.id)
    if (isFirst && action.state === 'running')
      complain(`action ${begun.id} runs on the server: Ctrl-C leaves it running`)
  }
  progress.end()
  process.removeListener('SIGINT', leave)
  if (call.flags.has('json')) printJson(action, 2)
  else printLines([outcomeOf(action)])
  return action.failed === 0 && action.state === 'done' ? 0 : 1
}

const done: Readonly<Record<OperatorAction['kind'], string>> = {
  wake: 'told to wake',
  reboot: 'told to reboot',
}

/** `22 nodes told to wake, 2 failed, 6 left: 2 failed` */
export function outcomeOf({ kind, total, done: good, failed, state, why }: OperatorAction): string {
  const left = total - good - failed
  return [
    `${countOf(good, 'node')} ${done[kind]}`,
    ...(failed === 0 ? [] : [`${failed} failed`]),
    ...(state === 'stopped' ? [`${left} left: ${why}`] : []),
  ].join(', ')
}
