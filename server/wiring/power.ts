/** What operators do to nodes' power: how each node is reached, and what is told of it. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { BootswarmError } from '../../src/errors.js'
import { foldHostlist } from '../../src/hostlist.js'
import { WAKE_CARDS_MAX } from '../../src/limits.js'
import type { NodeConfig } from '../../src/node-config.js'
import type { OperatorRecords } from '../api/operators/records.js'
import type { Author } from '../api/operators/services.js'
import type { NodeRegistry } from '../nodes/registry.js'
import type { NodeRecord } from '../nodes/state.js'
import type { ActionKind, ActionPlan } from '../power/action-run.js'
import { type Action, type Method, PowerActions } from '../power/actions.js'
import { runCommand } from '../power/command.js'
import { checkIpmitool, controlByIpmi } from '../power/ipmi.js'
import { NeighbourWakes } from '../power/neighbour-wakes.js'
import { controlByRedfish } from '../power/redfish.js'
import { sendMagicPackets, wakeNetworks } from '../power/wake-on-lan.js'
import { type PowerNode, type Way, wayOf } from '../power/ways.js'
import type { Addresses } from '../process/addresses.js'
import type { Store } from '../store/store.js'
import type { Timeline } from '../timeline/timeline.js'
import { after, type Common } from './parts.js'

/** What it needs of the others. */
export interface PowerParts {
  readonly store: Pick<Store, 'actions' | 'saveActionEnd'>
  readonly records: OperatorRecords
  readonly registry: Pick<NodeRegistry, 'get' | 'list'>
  readonly timeline: Timeline
  readonly addresses: Addresses
  readonly describe: (id: string, address: string) => NodeConfig
}

/** The actions of the running server. */
export interface PowerSide {
  readonly actions: Pick<PowerActions, 'list' | 'get' | 'planned'>
  /** @throws BootswarmError REQUEST_INVALID, ACTION_CONFLICT, ACTIONS_TOO_MANY, CHANGE_NOT_SAVED */
  begin(plan: ActionPlan, author: Author): Promise<Action>
  /** @throws BootswarmError ACTION_UNKNOWN, CHANGE_NOT_SAVED */
  end(id: string, author: Author): Promise<Action>
  /** MACs of machines that this node, which has just reported that it seeds, shall wake. */
  wakesFor(node: string): readonly string[]
  /** Says which actions ended with the server before. */
  start(): void
  stop(): void
}

/** Does nothing before `start`. */
export function makePower({ config, failures, nowMs }: Common, parts: PowerParts): PowerSide {
  const { store, records, registry, timeline, addresses, describe } = parts
  const over = (id: string) => {
    const part = 'noting the end of actions'
    store.saveActionEnd(id).then(
      () => failures.worked(part),
      (error: unknown) => failures.failed(part, error),
    )
  }
  const facts = (id: string): PowerNode => {
    const { address = '', machine } = registry.get(id) ?? {}
    const { hostname, power } = describe(id, address)
    const macs = [timeline.macOf(id), ...(machine?.macs ?? [])].filter((mac) => mac !== undefined)
    return { id, name: hostname, address, power, macs: [...new Set(macs)].slice(0, WAKE_CARDS_MAX) }
  }
  const neighbours = new NeighbourWakes({ after })
  const broadcast = (macs: readonly string[], { id, address }: PowerNode): Method => {
    const networks = wakeNetworks(addresses.now.interfaces, config.netboot, address)
    if (networks.length > 0) return { name: 'Wake-on-LAN', run: () => sendMagicPackets(macs, networks) }
    const rack = registry.get(id)?.rack
    const isNeighbour = (other: NodeRecord) => other.id !== id && other.rack === rack && isSeed(other)
    if (rack !== undefined && registry.list().some(isNeighbour))
      return { name: `a node of rack ${rack}`, run: (ended) => neighbours.ask(rack, macs, ended) }
    const where = address === '' ? '' : ` at ${address}`
    throw new Error(
      `no network of this server leads to it${where} (netboot.interfaces), and no node of its rack seeds that could wake it`,
    )
  }
  const methodOf = (kind: ActionKind, id: string): Method => {
    const node = facts(id)
    const way = wayOf(kind, node)
    if (way.kind === 'wake-on-lan') return broadcast(way.macs, node)
    if (way.kind === 'ipmi') checkIpmitool()
    return { name: nameOf(way), run: (ended) => control(kind, way, ended) }
  }
  const actions = new PowerActions({
    methodOf,
    onStep: ({ id, plan }, { node, method, why }) => {
      const data = { action: id, kind: plan.kind, ...(method === '' ? {} : { method }) }
      if (why === '') timeline.about(node, 'power.done', data)
      else timeline.about(node, 'power.failed', { ...data, why })
    },
    onEnd: ({ id, plan, steps }) => {
      const count = (state: string) => steps.filter((step) => step.state === state).length
      const counts = { done: count('done'), failed: count('failed'), left: count('left') }
      timeline.site('action.ended', { action: id, kind: plan.kind, ...counts })
      over(id)
    },
    ...{ nowMs, after, newId: () => randomBytes(4).toString('hex') },
  })
  return {
    actions,
    begin: async (plan, author) => {
      const { id, startedMs } = actions.prepare(plan, author.who)
      const { kind, nodes } = plan
      try {
        const row = { id, kind, nodes: nodes.length, startedMs }
        await records.actionStarted(row, `${kind} ${foldHostlist(nodes)}`.slice(0, detailLengthMax), author)
      } catch (error) {
        actions.cancel(id)
        throw error
      }
      actions.begin(id)
      return actions.get(id)
    },
    end: async (id, author) => {
      if (actions.get(id).endedMs !== null) throw new BootswarmError('ACTION_UNKNOWN', `action ${id} is over`)
      await records.actionStopped(id, author)
      return actions.stop(id, `${author.who} stopped it`)
    },
    wakesFor: (id) => {
      const node = registry.get(id)
      return node !== undefined && isSeed(node) ? neighbours.take(node.rack) : []
    },
    start: () => {
      for (const { id, kind, nodes } of store.actions.list()) {
        timeline.site('action.interrupted', { action: id, kind, nodes })
        over(id)
      }
    },
    stop: () => actions.close(),
  }
}

/** Characters of a line of the audit trail that tell which nodes they were. */
const detailLengthMax = 512

/** It has booted, reports now and then, and hears of it then. */
function isSeed({ state, seeding, seedS }: NodeRecord): boolean {
  return state === 'booted' && seeding !== 'no' && seedS !== 0
}

type Controlled = Exclude<Way, { readonly kind: 'wake-on-lan' }>

function nameOf(way: Controlled): string {
  if (way.kind === 'command') return `command ${way.argv[0]}`
  return way.kind === 'ipmi' ? `IPMI at ${way.target.host}` : `Redfish at ${new URL(way.target.url).host}`
}

async function control(kind: ActionKind, way: Controlled, ended: AbortSignal): Promise<void> {
  if (way.kind === 'command') {
    await runCommand(way, ended)
    return
  }
  const password = (await readSmall(way.target.passwordFile)).split('\n')[0]?.replace(/\r$/, '') ?? ''
  if (way.kind === 'ipmi') {
    await controlByIpmi(kind, way.target, password, ended)
    return
  }
  const { caFile } = way.target
  const ca = caFile === undefined ? undefined : await readSmall(caFile)
  await controlByRedfish(kind, way.target, { password, ca }, ended)
}

/** Passwords and CAs, characters. */
const smallLengthMax = 64 * 1024

/** @throws Error that says who has to be able to read it */
async function readSmall(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).slice(0, smallLengthMax)
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException
    throw new Error(`${path}: ${code}; the user of the server has to be able to read it`)
  }
}
