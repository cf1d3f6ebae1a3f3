/**
 * The actions that operators start at nodes. They run in this process, whoever watches; one ends with it. Decides nothing:
 * action-run.ts says whose turn it is.
 */
import { BootswarmError } from '../../src/errors.js'
import { ACTION_NODES_MAX, ACTIONS_KEPT_MAX, ACTIONS_MAX } from '../../src/limits.js'
import { type ActionKind, type ActionPlan, ActionRun, type ActionStep } from './action-run.js'

/** How something is done to one node. */
export interface Method {
  /** For people: `Wake-on-LAN`. */
  readonly name: string
  /** Resolves when whoever does it has said that it is done; rejects with the reason why not. Ends soon after `ended` aborts. */
  run(ended: AbortSignal): Promise<void>
}

/** An action as it stands. */
export interface Action {
  /** 8 hex digits; empty: it is only a plan. */
  readonly id: string
  readonly plan: ActionPlan
  /** Who started it. */
  readonly who: string
  /** Milliseconds since 1970. */
  readonly startedMs: number
  /** Null: it runs. */
  readonly endedMs: number | null
  /** Why it did not go through all nodes; undefined: it did, or does. */
  readonly stopped: string | undefined
  readonly steps: readonly ActionStep[]
}

/** What actions are made of. */
export interface ActionsOptions {
  /** How a node is reached now. @throws an error whose message says what is missing */
  readonly methodOf: (kind: ActionKind, node: string) => Method
  /** A node is done, or (with `why`) it failed. */
  readonly onStep: (action: Action, step: ActionStep) => void
  /** An action is over. */
  readonly onEnd: (action: Action) => void
  /** 8 hex digits, random. */
  readonly newId: () => string
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number
  /** Runs something after so many milliseconds; the result calls it off. */
  readonly after: (ms: number, run: () => void) => () => void
}

interface Entry {
  readonly id: string
  readonly who: string
  readonly run: ActionRun
  readonly startedMs: number
  readonly aborter: AbortController
  endedMs: number | null
  callOff: (() => void) | undefined
}

/** See the module. */
export class PowerActions {
  readonly #options: ActionsOptions
  /** By id, oldest first. */
  readonly #entries = new Map<string, Entry>()
  #isClosed = false

  constructor(options: ActionsOptions) {
    this.#options = options
  }

  /** Those that run, and the last ones, oldest first. */
  list(): Action[] {
    return [...this.#entries.values()].map(actionOf)
  }

  /** @throws BootswarmError ACTION_UNKNOWN */
  get(id: string): Action {
    return actionOf(this.#entry(id))
  }

  /** What would be done, and for which nodes there is no way. @throws BootswarmError REQUEST_INVALID */
  planned(plan: ActionPlan, who: string): Action {
    checkSize(plan)
    const steps = plan.nodes.map((node): ActionStep => {
      const step = { node, state: 'waiting', method: '', why: '' } as const
      try {
        return { ...step, method: this.#options.methodOf(plan.kind, node).name }
      } catch (error) {
        return { ...step, state: 'failed', why: messageOf(error) }
      }
    })
    const nowMs = this.#options.nowMs()
    return { id: '', plan, who, startedMs: nowMs, endedMs: null, stopped: undefined, steps }
  }

  /**
   * Takes an action in, which keeps others from its nodes. It begins with {@link begin}, or ends with {@link cancel}.
   *
   * @throws BootswarmError REQUEST_INVALID, ACTION_CONFLICT, ACTIONS_TOO_MANY
   */
  prepare(plan: ActionPlan, who: string): Action {
    checkSize(plan)
    const running = [...this.#entries.values()].filter(({ endedMs }) => endedMs === null)
    const wanted = new Set(plan.nodes)
    for (const { id, run } of running) {
      const both = run.steps.find(
        ({ node, state }) => wanted.has(node) && (state === 'waiting' || state === 'running'),
      )
      if (both === undefined) continue
      const message = `${both.node} is in action ${id}, which runs: wait for it, or end it: bootswarm action stop ${id}`
      throw new BootswarmError('ACTION_CONFLICT', message)
    }
    if (running.length >= ACTIONS_MAX) {
      const message = `${ACTIONS_MAX} actions run: wait, or end one: bootswarm action list`
      throw new BootswarmError('ACTIONS_TOO_MANY', message)
    }
    const { newId, nowMs } = this.#options
    let id = newId()
    while (this.#entries.has(id)) id = newId()
    const entry: Entry = {
      ...{ id, who, run: new ActionRun(plan), startedMs: nowMs(), endedMs: null },
      ...{ aborter: new AbortController(), callOff: undefined },
    }
    this.#entries.set(id, entry)
    this.#forgetOldest()
    return actionOf(entry)
  }

  /** A prepared action is not to be. */
  cancel(id: string): void {
    this.#entries.delete(id)
  }

  /** A prepared action begins. */
  begin(id: string): void {
    this.#goOn(this.#entry(id))
  }

  /** No other node of it has its turn. @throws BootswarmError ACTION_UNKNOWN */
  stop(id: string, why: string): Action {
    const entry = this.#entry(id)
    entry.run.stop(why)
    this.#goOn(entry)
    return actionOf(entry)
  }

  /** Ends all where they are. */
  close(): void {
    this.#isClosed = true
    for (const { aborter, callOff } of this.#entries.values()) {
      callOff?.()
      aborter.abort()
    }
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id)
    if (entry !== undefined) return entry
    const message =
      'there is no such action: it is long over, or the server was started anew since: bootswarm node events --type action.ended,action.interrupted'
    throw new BootswarmError('ACTION_UNKNOWN', message)
  }

  #goOn(entry: Entry): void {
    if (this.#isClosed || entry.endedMs !== null) return
    const { nowMs, after, onEnd } = this.#options
    entry.callOff?.()
    entry.callOff = undefined
    const { start, againInMs } = entry.run.next(nowMs())
    for (const node of start) void this.#step(entry, node)
    if (againInMs !== undefined) entry.callOff = after(againInMs, () => this.#goOn(entry))
    if (!entry.run.isOver) return
    entry.endedMs = nowMs()
    onEnd(actionOf(entry))
  }

  async #step(entry: Entry, node: string): Promise<void> {
    const { methodOf, onStep } = this.#options
    let why: string | undefined
    try {
      const method = methodOf(entry.run.plan.kind, node)
      entry.run.found(node, method.name)
      await method.run(entry.aborter.signal)
    } catch (error) {
      why = messageOf(error)
    }
    // With the server its actions end, and the next one says so.
    if (this.#isClosed) return
    entry.run.ended(node, why)
    const step = entry.run.steps.find((one) => one.node === node)
    if (step !== undefined) onStep(actionOf(entry), step)
    this.#goOn(entry)
  }

  #forgetOldest(): void {
    for (const { id, endedMs } of this.#entries.values()) {
      if (this.#entries.size <= ACTIONS_KEPT_MAX) return
      if (endedMs !== null) this.#entries.delete(id)
    }
  }
}

function actionOf({ id, who, run, startedMs, endedMs }: Entry): Action {
  return { id, plan: run.plan, who, startedMs, endedMs, stopped: run.stopped, steps: run.steps }
}

function checkSize({ nodes }: ActionPlan): void {
  if (nodes.length <= ACTION_NODES_MAX) return
  const message = `${nodes.length} nodes: at most ${ACTION_NODES_MAX} at a time are possible`
  throw new BootswarmError('REQUEST_INVALID', message)
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 300)
}
