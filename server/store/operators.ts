/**
 * Operators' tokens, what they said of nodes (labels, approvals, drains, next boots), and the audit trail: the events of the timeline whose source is `operator`. They are of no
 * node, so that they stay when one is forgotten.
 */

import type Sqlite from 'better-sqlite3'
import {
  APPROVALS_MAX,
  AUDIT_ROWS_MAX,
  DRAINS_MAX,
  LABELS_MAX,
  NEXT_BOOTS_MAX,
  TOKENS_MAX,
} from '../../src/limits.js'
import { type ActionRow, actionWriter } from './actions.js'
import { guard } from './open.js'

/** A token as it is remembered: never the secret itself. */
export interface TokenRow {
  /** The part of the token that may be shown. */
  readonly id: string
  /** Of the secret, hex. */
  readonly sha256: string
  readonly role: string
  readonly name: string
  readonly createdMs: number
  /** Null while it is good. */
  readonly revokedMs: number | null
}

/** One line of the audit trail. */
export interface AuditRow {
  readonly id: number
  /** When, ms since 1970. */
  readonly atMs: number
  readonly who: string
  /** From where: an IP address, or `local`. */
  readonly address: string
  /** What: `token.made`. */
  readonly action: string
  /** To whom or to what. */
  readonly target: string
  /** What else there is to say; may be empty. */
  readonly detail: string
}

/** A change, and the line that says so: both are on the disk or neither. */
export interface OperatorJob {
  readonly audit: Omit<AuditRow, 'id'>
  readonly change:
    | { readonly kind: 'token-made'; readonly token: TokenRow }
    | { readonly kind: 'token-revoked'; readonly id: string; readonly revokedMs: number }
    /** An empty label takes it away. */
    | { readonly kind: 'label'; readonly node: string; readonly label: string; readonly setMs: number }
    /** Null takes it back. */
    | { readonly kind: 'approval'; readonly node: string; readonly approvedMs: number | null }
    /** A reason of null ends it. */
    | {
        readonly kind: 'drain'
        readonly node: string
        readonly reason: string | null
        readonly drainedMs: number
      }
    /** JSON, which waits for the node's next boot; null: it boots as always. */
    | {
        readonly kind: 'next-boot'
        readonly node: string
        readonly content: string | null
        readonly setMs: number
      }
    | { readonly kind: 'action'; readonly action: ActionRow }
    /** Nothing that operators said of a node stays, but the audit trail. */
    | { readonly kind: 'forgotten'; readonly node: string }
    | { readonly kind: 'none' }
}

/** Reads what operators have done. */
export interface OperatorTables {
  /** All tokens, oldest first, revoked ones too. */
  tokens(): TokenRow[]
  /** Label by node. */
  labels(): Map<string, string>
  /** The reason by node, of those that are drained; it may be empty. */
  drains(): Map<string, string>
  /** The nodes that are approved. */
  approvals(): Set<string>
  /** The newest lines before one, newest first. */
  audit(beforeId: number, limit: number): AuditRow[]
}

/** Prepares the statements. */
export function operatorTables(db: Sqlite.Database): OperatorTables {
  const tokens = db.prepare<[], TokenRow>(
    `SELECT id, sha256, role, name, created_ms AS createdMs, revoked_ms AS revokedMs
     FROM tokens ORDER BY created_ms, id`,
  )
  const labels = db.prepare<[], { node: string; label: string }>('SELECT node, label FROM node_labels')
  const drains = db.prepare<[], { node: string; reason: string }>('SELECT node, reason FROM drains')
  const approvals = db.prepare<[], { node: string }>('SELECT node FROM approvals')
  const audit = db.prepare<[number, number], AuditEvent>(
    `SELECT id, time_ms AS atMs, type AS action, data FROM timeline
     WHERE source = 'operator' AND id < ? ORDER BY id DESC LIMIT ?`,
  )
  return {
    tokens: () => guard('reading the tokens', () => tokens.all()),
    labels: () =>
      guard('reading the labels', () => new Map(labels.all().map(({ node, label }) => [node, label]))),
    drains: () =>
      guard('reading what is drained', () => new Map(drains.all().map(({ node, reason }) => [node, reason]))),
    approvals: () => guard('reading the approvals', () => new Set(approvals.all().map(({ node }) => node))),
    audit: (beforeId, limit) =>
      guard('reading the audit trail', () =>
        audit
          .all(beforeId, limit)
          .map(({ data, ...line }) => ({ ...line, ...(JSON.parse(data) as AuditData) })),
      ),
  }
}

/** What the data of such an event says. */
type AuditData = Pick<AuditRow, 'who' | 'address' | 'target' | 'detail'>
type AuditEvent = Pick<AuditRow, 'id' | 'atMs' | 'action'> & { readonly data: string }

/** How many rows there may be. */
export interface OperatorBounds {
  readonly tokensMax: number
  readonly labelsMax: number
  readonly approvalsMax: number
  readonly drainsMax: number
  readonly nextBootsMax: number
  readonly auditRowsMax: number
}

const bounds: OperatorBounds = {
  tokensMax: TOKENS_MAX,
  labelsMax: LABELS_MAX,
  approvalsMax: APPROVALS_MAX,
  drainsMax: DRAINS_MAX,
  nextBootsMax: NEXT_BOOTS_MAX,
  auditRowsMax: AUDIT_ROWS_MAX,
}

/** Writes one change and its line within a transaction. */
export function operatorWriter(
  db: Sqlite.Database,
  { tokensMax, labelsMax, approvalsMax, drainsMax, nextBootsMax, auditRowsMax }: OperatorBounds = bounds,
): (job: OperatorJob) => void {
  const token = db.prepare<[TokenRow]>(
    `INSERT INTO tokens (id, sha256, role, name, created_ms, revoked_ms)
     VALUES (@id, @sha256, @role, @name, @createdMs, @revokedMs)`,
  )
  const revoke = db.prepare<[number, string]>(
    'UPDATE tokens SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL',
  )
  const trimTokens = db.prepare<[number]>(
    `DELETE FROM tokens WHERE revoked_ms IS NOT NULL AND id NOT IN
       (SELECT id FROM tokens ORDER BY revoked_ms IS NULL DESC, revoked_ms DESC LIMIT ?)`,
  )
  const labels = nodeRows(db, 'node_labels', ['label', 'set_ms'], labelsMax)
  const approvals = nodeRows(db, 'approvals', ['approved_ms'], approvalsMax)
  const drains = nodeRows(db, 'drains', ['reason', 'drained_ms'], drainsMax)
  const nextBoots = nodeRows(db, 'next_boots', ['content', 'boot', 'set_ms'], nextBootsMax)
  const actions = actionWriter(db)
  const audit = db.prepare<[Omit<AuditEvent, 'id'>]>(
    `INSERT INTO timeline (time_ms, source, type, data) VALUES (@atMs, 'operator', @action, @data)`,
  )
  const trimAudit = db.prepare<[number]>(
    `DELETE FROM timeline WHERE source = 'operator' AND id <=
       (SELECT id FROM timeline WHERE source = 'operator' ORDER BY id DESC LIMIT 1 OFFSET ?)`,
  )
  const run = (change: OperatorJob['change']): void => {
    switch (change.kind) {
      case 'token-made':
        token.run(change.token)
        trimTokens.run(tokensMax)
        return
      case 'token-revoked':
        revoke.run(change.revokedMs, change.id)
        return
      case 'label':
        if (change.label === '') labels.remove(change.node)
        else labels.put(change.node, change.label, change.setMs)
        return
      case 'approval':
        if (change.approvedMs === null) approvals.remove(change.node)
        else approvals.put(change.node, change.approvedMs)
        return
      case 'drain':
        if (change.reason === null) drains.remove(change.node)
        else drains.put(change.node, change.reason, change.drainedMs)
        return
      case 'next-boot':
        if (change.content === null) nextBoots.remove(change.node)
        else nextBoots.put(change.node, change.content, null, change.setMs)
        return
      case 'action':
        actions.start(change.action)
        return
      case 'forgotten':
        for (const table of [labels, approvals, drains, nextBoots]) table.remove(change.node)
        return
      case 'none':
        return
    }
  }
  return ({ change, audit: line }) => {
    run(change)
    const { atMs, action, ...data } = line
    audit.run({ atMs, action, data: JSON.stringify(data satisfies AuditData) })
    trimAudit.run(auditRowsMax)
  }
}

/** A table with a row for each node. The last column is the time: above so many rows the oldest go. */
function nodeRows(db: Sqlite.Database, table: string, columns: readonly string[], rowsMax: number) {
  const [time = ''] = columns.slice(-1)
  const put = db.prepare<unknown[]>(
    `INSERT INTO ${table} (node, ${columns.join(', ')}) VALUES (?${', ?'.repeat(columns.length)})
     ON CONFLICT (node) DO UPDATE SET ${columns.map((name) => `${name} = excluded.${name}`).join(', ')}`,
  )
  const remove = db.prepare<[string]>(`DELETE FROM ${table} WHERE node = ?`)
  const trim = db.prepare<[number]>(
    `DELETE FROM ${table} WHERE node IN (SELECT node FROM ${table} ORDER BY ${time}, node
       LIMIT max(0, (SELECT count(*) FROM ${table}) - ?))`,
  )
  return {
    put: (node: string, ...values: readonly (string | number | null)[]): void => {
      put.run(node, ...values)
      trim.run(rowsMax)
    },
    remove: (node: string): void => {
      remove.run(node)
    },
  }
}
