/** `bootswarm node wake` and `reboot`: an action that the server does, in batches. */
import { complain, printJson, printLines } from '../../host/console.js'
import type { OperatorAction } from '../../server/api/operators/schemas.js'
import { BootswarmError } from '../../src/errors.js'
import type { Call } from '../outline.js'
import { parseDurationS } from './duration.js'
import { followAction } from './follow-action.js'
import { nodesOf } from './node-list.js'
import type { Session } from './session.js'
import { countOf } from './words.js'

/** `node wake [NODES]`. */
export function wakeNodes(session: Session): Promise<number> {
  return actOnNodes(session, 'wake')
}

/** `node reboot [NODES]`. */
export function rebootNodes(session: Session): Promise<number> {
  return actOnNodes(session, 'reboot')
}

async function actOnNodes(session: Session, kind: OperatorAction['kind']): Promise<number> {
  const { call, client } = session
  const [hostlist] = call.words
  if (hostlist === undefined && !call.flags.has('where'))
    throw usage('name NODES, or narrow them down by --where: see --help')
  const paces = pacesOf(call.flags)
  const { nodes, areAllThere } = await nodesOf(client, call, hostlist)
  if (nodes.length === 0) {
    complain('no node matches')
    return areAllThere ? 0 : 1
  }
  const ids = nodes.map(({ id }) => id)
  const isDry = call.flags.has('dry-run')
  const action = await client.startAction({ kind, nodes: ids, dry_run: isDry, ...paces })
  const code = isDry ? showPlan(call, action) : await followAction(session, action)
  return areAllThere ? code : Math.max(1, code)
}

/** What would be done; 1 if for some there is no way. */
function showPlan({ flags }: Call, action: OperatorAction): number {
  if (flags.has('json')) printJson(action, 2)
  else {
    for (const { id, why } of action.nodes) if (why !== '') complain(`${id}: ${why}`)
    const lines = action.nodes.flatMap(({ id, method, why }) =>
      why === '' ? [`would ${action.kind} ${id} by ${method}`] : [],
    )
    printLines([...lines, `${countOf(lines.length, 'node')}; nothing was done`])
  }
  return action.failed === 0 ? 0 : 1
}

function pacesOf(flags: Call['flags']) {
  const [batch, pause, failures] = [flags.get('batch'), flags.get('pause'), flags.get('max-failures')]
  if (pause !== undefined && batch === undefined) throw usage('--pause goes with --batch')
  return {
    ...(batch === undefined ? {} : { batch: parseCount(batch, 'batch') }),
    ...(pause === undefined ? {} : { pause_s: parseDurationS(pause, 'pause') }),
    ...(failures === undefined ? {} : { failures_max: parseCount(failures, 'max-failures') }),
  }
}

function parseCount(text: string, flag: string): number {
  if (/^[1-9][0-9]{0,4}$/.test(text)) return Number(text)
  throw usage(`--${flag}: expected a number from 1 on, got ${text.slice(0, 40)}`)
}

function usage(message: string): BootswarmError {
  return new BootswarmError('USAGE_INVALID', message)
}
