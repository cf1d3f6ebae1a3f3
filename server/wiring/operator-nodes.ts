/** Nodes and machines as operators see them: the registry's nodes, and what the timeline knows of boots since. */
import { normalizeMac } from '../../src/node-id.js'
import type { TimelineEvent } from '../../src/timeline.js'
import type { OperatorNode, OperatorStatus, OperatorWhy } from '../api/operators/schemas.js'
import { type BareNode, causeOf, machineView, nodeView, whyView } from '../api/operators/views.js'
import type { DescribeNode, NodeRegistry } from '../nodes/registry.js'
import { type NodeRecord, nodeStates } from '../nodes/state.js'
import type { Store } from '../store/store.js'
import type { NetbootMachine } from '../timeline/machines.js'
import { netbootStates } from '../timeline/netboot-state.js'
import type { Timeline } from '../timeline/timeline.js'
import { whereItStopped } from '../timeline/where-it-stopped.js'

/** Boots whose events are read in one turn of the event loop: some milliseconds. */
const bootsInATurn = 32

/** What they come from. */
export interface OperatorNodesParts {
  readonly registry: Pick<NodeRegistry, 'get' | 'list'>
  readonly timeline: Pick<Timeline, 'inNetboot' | 'macOf' | 'nodeOf'>
  readonly store: Pick<Store, 'timeline'>
  readonly describe: DescribeNode
  /** What operators said of a node; an empty label: none. */
  readonly saidOf: (node: string) => Omit<Parameters<typeof nodeView>[1], 'mac'>
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number
}

/** See the module. */
export class OperatorNodes {
  readonly #parts: OperatorNodesParts

  constructor(parts: OperatorNodesParts) {
    this.#parts = parts
  }

  /** All, in no order. */
  list(): BareNode[] {
    const { nodes, strangers } = this.#all()
    return [
      ...nodes.map(({ node, netboot }) => this.#node(node, netboot)),
      ...strangers.map((machine) => this.#machine(machine)),
    ]
  }

  /** One by its identity, or by its MAC. */
  get(id: string): BareNode | undefined {
    const { registry, timeline } = this.#parts
    const mac = normalizeMac(id)
    const node = registry.get(id) ?? registry.get((mac && timeline.nodeOf(mac)) ?? '')
    const machine = timeline
      .inNetboot()
      .find((one) => (node === undefined ? one.mac === mac : one.node === node.id))
    if (node !== undefined) return this.#node(node, sinceThen(node, machine))
    return machine && this.#machine(machine)
  }

  isNode(id: string): boolean {
    return this.#parts.registry.get(id) !== undefined
  }

  /** How many are in each state. */
  countByState(): OperatorStatus['nodes'] {
    const states = [...netbootStates, ...nodeStates] as const
    const counts = Object.fromEntries(states.map((state) => [state, 0])) as OperatorStatus['nodes']
    const { nodes, strangers } = this.#all()
    for (const { node, netboot } of nodes) counts[(netboot ?? node).state] += 1
    for (const { state } of strangers) counts[state] += 1
    return counts
  }

  /** The same nodes with the causes of their newest boots. Other work goes on meanwhile. */
  async withCauses(nodes: readonly BareNode[]): Promise<OperatorNode[]> {
    const { nowMs } = this.#parts
    const judged: OperatorNode[] = []
    let boots = 0
    for (const node of nodes) {
      const known = causeOf(node)
      const cause = known ?? whereItStopped(this.#events(node), nowMs()).cause
      judged.push({ ...node, cause })
      if (known === undefined) boots += 1
      if (boots === bootsInATurn) {
        boots = 0
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    return judged
  }

  /** Where the newest boot of a node stopped. */
  why(node: BareNode): OperatorWhy {
    return whyView(node, this.#events(node), this.#parts.nowMs())
  }

  #events({ id, boot }: BareNode): TimelineEvent[] {
    const { timeline } = this.#parts.store
    if (!this.isNode(id)) return timeline.bootOfMachine(id, boot)
    // An agent without a name of its boot: a very old one.
    return boot === '' ? timeline.ofNode(id) : timeline.bootOfNode(id, boot)
  }

  /** Nodes with the boots that they have begun since, and machines that are no nodes. */
  #all(): { readonly nodes: readonly BootingNode[]; readonly strangers: readonly NetbootMachine[] } {
    const { registry, timeline } = this.#parts
    const nodes = registry.list()
    const ids = new Set(nodes.map(({ id }) => id))
    const machines = new Map<string, NetbootMachine>()
    const strangers: NetbootMachine[] = []
    for (const machine of timeline.inNetboot()) {
      if (machine.node !== undefined && ids.has(machine.node)) machines.set(machine.node, machine)
      else strangers.push(machine)
    }
    return {
      strangers,
      nodes: nodes.map((node) => ({ node, netboot: sinceThen(node, machines.get(node.id)) })),
    }
  }

  #node(node: NodeRecord, netboot: NetbootMachine | undefined): BareNode {
    const { timeline, saidOf } = this.#parts
    return nodeView(node, { mac: timeline.macOf(node.id), ...saidOf(node.id) }, netboot)
  }

  #machine(machine: NetbootMachine): BareNode {
    const { describe, saidOf } = this.#parts
    const { mac, address } = machine
    return machineView(machine, describe(mac, address), saidOf(mac))
  }
}

interface BootingNode {
  readonly node: NodeRecord
  readonly netboot: NetbootMachine | undefined
}

/** What an agent has said since then shows that it runs: its machine has not been started anew. */
function sinceThen(node: NodeRecord, machine: NetbootMachine | undefined): NetbootMachine | undefined {
  return machine !== undefined && machine.heardMs >= node.lastSeenMs ? machine : undefined
}
