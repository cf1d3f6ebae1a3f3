/** What the operators' API asks of the rest of the server, and nothing else (server/wiring/ has the answers). */
import type { Inventory, MachineFacts } from '../../../src/inventory.js'
import type { NextBoot } from '../../../src/next-boot.js'
import type { ShownNode } from '../../../src/shown-node.js'
import type { ActionPlan } from '../../power/action-run.js'
import type { Action } from '../../power/actions.js'
import type { EventPages } from '../../store/store.js'
import type { OperatorNode, OperatorStatus, OperatorWhy } from './schemas.js'
import type { BareNode } from './views.js'

/** Reads the timeline. */
export interface EventReader extends EventPages {
  /** Calls back when more are on the disk; the result ends that. */
  onAppended(run: () => void): () => void
}

/** Who did something, and from where. */
export interface Author {
  readonly who: string
  /** An IP address, or `local`. */
  readonly address: string
}

/** One line of the audit trail. */
export interface AuditLine extends Author {
  readonly id: number
  /** Milliseconds since 1970. */
  readonly atMs: number
  readonly action: string
  readonly target: string
  readonly detail: string
}

/** The answers. None of them blocks. */
export interface OperatorServices {
  status(): OperatorStatus
  /** All nodes as they stand now, and machines that are none yet, in no order. */
  nodes(): readonly BareNode[]
  /** One of them by its identity, or by its MAC. */
  node(id: string): BareNode | undefined
  /** What of its machine a node is looked for by, as its agent last reported it. */
  machineOf(id: string): MachineFacts | undefined
  /** All of it. @throws BootswarmError DATABASE_FAILED */
  inventoryOf(id: string): Inventory | undefined
  /** Whether it has been a node, in some boot. */
  isNode(id: string): boolean
  /** The same nodes with the causes of their newest boots. */
  withCauses(nodes: readonly BareNode[]): Promise<OperatorNode[]>
  /** Where the newest boot of a node stopped. */
  why(node: BareNode): OperatorWhy
  /** What the running configuration gives to a node, and which lines do. */
  configOf(node: BareNode): ShownNode
  readonly events: EventReader
  /** Labels a node; an empty label takes it away. @throws BootswarmError CHANGE_NOT_SAVED */
  label(node: string, label: string, author: Author): Promise<void>
  /** Lets a node boot, or no more. @throws BootswarmError CHANGE_NOT_SAVED */
  approve(node: string, isApproved: boolean, author: Author): Promise<void>
  /** Lets a node boot no more, or (`undefined`) again. @throws BootswarmError CHANGE_NOT_SAVED */
  drain(node: string, reason: string | undefined, author: Author): Promise<void>
  /** Sets what a node boots once, or (`undefined`) as always. @throws BootswarmError REQUEST_INVALID, CHANGE_NOT_SAVED */
  nextBoot(node: BareNode, nextBoot: NextBoot | undefined, author: Author): Promise<void>
  /** Forgets a node or a machine, and its events. @throws BootswarmError CHANGE_NOT_SAVED */
  forget(node: string, author: Author): Promise<void>
  /** Actions that run, and the last ones, oldest first. */
  actions(): readonly Action[]
  /** @throws BootswarmError ACTION_UNKNOWN */
  action(id: string): Action
  /** What an action would do. @throws BootswarmError REQUEST_INVALID */
  planAction(plan: ActionPlan, author: Author): Action
  /** @throws BootswarmError REQUEST_INVALID, ACTION_CONFLICT, ACTIONS_TOO_MANY, CHANGE_NOT_SAVED */
  startAction(plan: ActionPlan, author: Author): Promise<Action>
  /** No other node of it has its turn. @throws BootswarmError ACTION_UNKNOWN, CHANGE_NOT_SAVED */
  stopAction(id: string, author: Author): Promise<Action>
  /** The newest lines before one, newest first. */
  audit(beforeId: number, limit: number): readonly AuditLine[]
}
