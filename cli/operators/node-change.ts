/** `bootswarm node label`, `approve`, `drain`, `next-boot` and `forget`: one request for each node, and what became of it. */
import { complain, printJson, printLines } from '../../host/console.js'
import type { OperatorNode } from '../../server/api/operators/schemas.js'
import { BootswarmError } from '../../src/errors.js'
import { type NextBoot, nextBootText } from '../../src/next-boot.js'
import type { Call } from '../outline.js'
import { nodesOf } from './node-list.js'
import { Progress } from './progress.js'
import type { Session } from './session.js'
import { countOf } from './words.js'

/** A change of one node. */
interface Change {
  /** `label`, for what would be done. */
  readonly verb: string
  /** `labelled`, for what was. */
  readonly done: string
  readonly run: (node: OperatorNode) => Promise<unknown>
}

/** What became of one node. */
interface Outcome {
  readonly id: string
  readonly code?: string
  readonly message?: string
}

/** `node label [NODES] [TEXT]`. */
export function labelNodes(session: Session): Promise<number> {
  const { call, client } = session
  const isCleared = call.flags.has('clear')
  const text = isCleared ? '' : call.words.at(-1)
  const hostlist = call.words[0]
  const [least, most] = isCleared ? [0, 1] : [1, 2]
  if (call.words.length < least || call.words.length > most || text === undefined)
    throw usage(isCleared ? '--clear takes no TEXT' : 'node label needs NODES and TEXT, or --clear')
  const named = isCleared || call.words.length === 2 ? hostlist : undefined
  return changeNodes(session, named, {
    ...(isCleared
      ? { verb: 'take the label from', done: 'unlabelled' }
      : { verb: 'label', done: 'labelled' }),
    run: ({ id }) => client.label(id, text),
  })
}

/** `node approve [NODES]`. */
export function approveNodes(session: Session): Promise<number> {
  const isRevoked = session.call.flags.has('revoke')
  return changeNodes(session, session.call.words[0], {
    ...(isRevoked
      ? { verb: 'take the approval from', done: 'no longer approved' }
      : { verb: 'approve', done: 'approved' }),
    run: ({ id }) => session.client.approve(id, !isRevoked),
  })
}

/** `node drain [NODES]`. */
export function drainNodes(session: Session): Promise<number> {
  const { flags, words } = session.call
  const isCleared = flags.has('clear')
  if (isCleared && flags.has('reason')) throw usage('--clear takes no --reason')
  const reason = isCleared ? undefined : (flags.get('reason') ?? '')
  return changeNodes(session, words[0], {
    ...(isCleared
      ? { verb: 'let boot again', done: 'no longer drained' }
      : { verb: 'drain', done: 'drained' }),
    run: ({ id }) => session.client.drain(id, reason),
  })
}

/** `node next-boot [NODES]`. */
export function setNextBoot(session: Session): Promise<number> {
  const { flags, words } = session.call
  const nextBoot = nextBootOf(flags)
  const what = nextBoot === undefined ? 'as always' : `${nextBootText(nextBoot)} at the next boot`
  return changeNodes(session, words[0], {
    ...{ verb: `boot ${what}:`, done: `to boot ${what}` },
    run: ({ id }) => session.client.nextBoot(id, nextBoot),
  })
}

/** What the flags ask for; undefined: `--clear`. */
function nextBootOf(flags: Call['flags']): NextBoot | undefined {
  const [profile, rootfs] = [flags.get('profile'), flags.get('rootfs')]
  const ways = [
    ...['clear', 'local-disk', 'shell'].filter((name) => flags.has(name)),
    ...(profile === undefined && rootfs === undefined ? [] : ['profile']),
  ]
  if (ways.length !== 1)
    throw usage('say what: --profile and --rootfs, or one of --local-disk, --shell, --clear')
  if (flags.has('clear')) return undefined
  if (flags.has('local-disk')) return { from: 'disk', profile: [] }
  if (flags.has('shell')) return { from: 'shell', profile: [] }
  return {
    from: 'network',
    profile: profile?.split(',') ?? [],
    ...(rootfs === undefined ? {} : { rootfs }),
  }
}

/** `node forget [NODES]`. */
export function forgetNodes(session: Session): Promise<number> {
  return changeNodes(session, session.call.words[0], {
    ...{ verb: 'forget', done: 'forgotten' },
    run: ({ id }) => session.client.forget(id),
  })
}

async function changeNodes(
  { call, client }: Session,
  hostlist: string | undefined,
  { verb, done, run }: Change,
): Promise<number> {
  if (hostlist === undefined && !call.flags.has('where'))
    throw usage('name NODES, or narrow them down by --where')
  const { nodes, areAllThere } = await nodesOf(client, call, hostlist)
  if (call.flags.has('dry-run')) {
    printNodes(call, nodes, `would ${verb}`)
    return areAllThere ? 0 : 1
  }
  const progress = new Progress(nodes.length)
  const outcomes: Outcome[] = []
  for (const node of nodes) {
    outcomes.push(await outcomeOf(node, run))
    progress.show(outcomes.length)
  }
  progress.end()
  const failed = outcomes.filter(({ code }) => code !== undefined)
  if (call.flags.has('json')) printJson(outcomes)
  else {
    for (const { id, code, message } of failed) complain(`${id}: ${code}: ${message}`)
    printLines([`${countOf(nodes.length - failed.length, 'node')} ${done}`])
  }
  return areAllThere && failed.length === 0 ? 0 : 1
}

/** A node that has gone meanwhile, or a database that fails, keeps nothing from the others. */
async function outcomeOf(node: OperatorNode, run: Change['run']): Promise<Outcome> {
  const { id } = node
  try {
    await run(node)
    return { id }
  } catch (error) {
    if (!(error instanceof BootswarmError) || !['NODE_UNKNOWN', 'CHANGE_NOT_SAVED'].includes(error.code))
      throw error
    return { id, code: error.code, message: error.message }
  }
}

function printNodes(call: Call, nodes: readonly OperatorNode[], what: string): void {
  const lines = nodes.map(({ id, hostname, state }) => `${what} ${id} (${hostname}, ${state})`)
  if (call.flags.has('json')) printJson(nodes.map(({ id }) => ({ id })))
  else printLines([...lines, `${countOf(nodes.length, 'node')}; nothing was changed`])
}

function usage(message: string): BootswarmError {
  return new BootswarmError('USAGE_INVALID', `${message}: see --help`)
}
