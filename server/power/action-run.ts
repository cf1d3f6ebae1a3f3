/** One action at several nodes: in batches with a pause between them, until all had their turn or too many have failed. Pure. */

/** What an action does to nodes. */
export const actionKinds = ['wake', 'reboot'] as const
/** One of them. */
export type ActionKind = (typeof actionKinds)[number]

/** How far a node has come; `left`: its turn did not come. */
export const stepStates = ['waiting', 'running', 'done', 'failed', 'left'] as const
/** One of them. */
export type StepState = (typeof stepStates)[number]

/** One node of an action. */
export interface ActionStep {
  readonly node: string
  readonly state: StepState
  /** How it is done: `Wake-on-LAN`; empty: not known yet, or there is no way. */
  readonly method: string
  /** Why it failed. */
  readonly why: string
}

/** What an operator asks for. */
export interface ActionPlan {
  readonly kind: ActionKind
  readonly nodes: readonly string[]
  /** Nodes in one batch; undefined: all. */
  readonly batch: number | undefined
  /** Between the end of a batch and the next one, seconds. */
  readonly pauseS: number
  /** After so many failures no other node has its turn; undefined: however many fail. */
  readonly failuresMax: number | undefined
}

/** Nodes at a time within a batch: each may be a process, and a broken controller takes a minute to say nothing. */
const atOnceMax = 16

/** See the module. */
export class ActionRun {
  readonly plan: ActionPlan
  readonly #steps: Map<string, ActionStep>
  /** How many have had their turn, and how many will have had it at the end of this batch. */
  #begun = 0
  #batchEnd = 0
  #running = 0
  #failed = 0
  /** When the next batch begins; undefined: this one is not over. */
  #resumeMs: number | undefined
  #stopped: string | undefined

  constructor(plan: ActionPlan) {
    this.plan = plan
    this.#steps = new Map(
      plan.nodes.map((node) => [node, { node, state: 'waiting', method: '', why: '' }] as const),
    )
  }

  /** All nodes, in their order. */
  get steps(): readonly ActionStep[] {
    return [...this.#steps.values()]
  }

  /** Whether nothing runs and nothing will. */
  get isOver(): boolean {
    return this.#running === 0 && (this.#stopped !== undefined || this.#begun === this.plan.nodes.length)
  }

  /** Why it did not go through all; undefined: it did, or does. */
  get stopped(): string | undefined {
    return this.#stopped
  }

  /** The nodes whose turn it is now, which run from here on, and when to ask again besides at each end. */
  next(nowMs: number): { readonly start: readonly string[]; readonly againInMs?: number } {
    const { nodes, batch = nodes.length, pauseS } = this.plan
    if (this.#stopped !== undefined) return { start: [] }
    if (this.#begun === this.#batchEnd) {
      if (this.#running > 0 || this.#begun === nodes.length) return { start: [] }
      this.#resumeMs ??= this.#begun === 0 ? nowMs : nowMs + pauseS * 1000
      if (nowMs < this.#resumeMs) return { start: [], againInMs: this.#resumeMs - nowMs }
      this.#resumeMs = undefined
      this.#batchEnd = Math.min(this.#begun + batch, nodes.length)
    }
    const count = Math.min(atOnceMax - this.#running, this.#batchEnd - this.#begun)
    const start = nodes.slice(this.#begun, this.#begun + count)
    for (const node of start) this.#put(node, { state: 'running' })
    this.#begun += start.length
    this.#running += start.length
    return { start }
  }

  /** It is known how a node is reached. */
  found(node: string, method: string): void {
    this.#put(node, { method })
  }

  /** A node that ran is done, or has failed. */
  ended(node: string, why: string | undefined): void {
    this.#running -= 1
    if (why === undefined) {
      this.#put(node, { state: 'done' })
      return
    }
    this.#put(node, { state: 'failed', why })
    this.#failed += 1
    const { failuresMax } = this.plan
    if (failuresMax !== undefined && this.#failed >= failuresMax && this.#begun < this.plan.nodes.length)
      this.stop(`${this.#failed} failed`)
  }

  /** No other node has its turn; those that run go on to their end. */
  stop(why: string): void {
    if (this.#stopped !== undefined || this.isOver) return
    this.#stopped = why
    for (const { node, state } of this.steps) if (state === 'waiting') this.#put(node, { state: 'left' })
  }

  #put(node: string, change: Partial<ActionStep>): void {
    const step = this.#steps.get(node)
    if (step !== undefined) this.#steps.set(node, { ...step, ...change })
  }
}
