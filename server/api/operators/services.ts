/** What the operators' API asks of the rest of the server, and nothing else (server/wiring/ has the answers). */
import type { OperatorEvent, OperatorNode, OperatorStatus } from './schemas.js'

/** A page of events, oldest first. */
export interface EventReader {
  /** The first after an id. */
  after(id: number, limit: number): readonly OperatorEvent[]
  /** The newest of all. */
  newest(limit: number): readonly OperatorEvent[]
  /** Those of a node: the first after an id, or the newest. */
  ofNode(node: string, afterId: number | undefined, limit: number): readonly OperatorEvent[]
  /** The newest id; 0 if there is none. */
  lastId(): number
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
  /** All nodes as they stand now, in no order. */
  nodes(): readonly OperatorNode[]
  node(id: string): OperatorNode | undefined
  readonly events: EventReader
  /** Labels a node; an empty label takes it away. @throws BootswarmError CHANGE_NOT_SAVED */
  label(node: string, label: string, author: Author): Promise<void>
  /** Forgets a node and its events. @throws BootswarmError CHANGE_NOT_SAVED */
  forget(node: string, author: Author): Promise<void>
  /** The newest lines before one, newest first. */
  audit(beforeId: number, limit: number): readonly AuditLine[]
}
