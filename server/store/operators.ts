/**
 * Operators' tokens, labels and approvals of nodes, and the audit trail: the events of the timeline whose source is `operator`. They are of no
 * node, so that they stay when one is forgotten.
 */

import type Sqlite from 'better-sqlite3'
import { APPROVALS_MAX, AUDIT_ROWS_MAX, LABELS_MAX, TOKENS_MAX } from '../../src/limits.js'
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
  const approvals = db.prepare<[], { node: string }>('SELECT node FROM approvals')
  const audit = db.prepare<[number, number], AuditEvent>(
    `SELECT id, time_ms AS atMs, type AS action, data FROM timeline
     WHERE source = 'operator' AND id < ? ORDER BY id DESC LIMIT ?`,
  )
  return {
    tokens: () => guard('reading the tokens', () => tokens.all()),
    labels: () =>
      guard('reading the labels', () => new Map(labels.all().map(({ node, label }) => [node, label]))),
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
  readonly auditRowsMax: number
}

const bounds: OperatorBounds = {
  tokensMax: TOKENS_MAX,
  labelsMax: LABELS_MAX,
  approvalsMax: APPROVALS_MAX,
  auditRowsMax: AUDIT_ROWS_MAX,
}

/** Writes one change and its line within a transaction. */
export function operatorWriter(
  db: Sqlite.Database,
  { tokensMax, labelsMax, approvalsMax, auditRowsMax }: OperatorBounds = bounds,
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
  const label = db.prepare<[string, string, number]>(
    `INSERT INTO node_labels (node, label, set_ms) VALUES (?, ?, ?)
     ON CONFLICT (node) DO UPDATE SET label = excluded.label, set_ms = excluded.set_ms`,
  )
  const unlabel = db.prepare<[string]>('DELETE FROM node_labels WHERE node = ?')
  const trimLabels = db.prepare<[number]>(
    `DELETE FROM node_labels WHERE node IN (SELECT node FROM node_labels ORDER BY set_ms, node
       LIMIT max(0, (SELECT count(*) FROM node_labels) - ?))`,
  )
  const approve = db.prepare<[string, number]>(
    `INSERT INTO approvals (node, approved_ms) VALUES (?, ?)
     ON CONFLICT (node) DO UPDATE SET approved_ms = excluded.approved_ms`,
  )
  const disapprove = db.prepare<[string]>('DELETE FROM approvals WHERE node = ?')
  const trimApprovals = db.prepare<[number]>(
    `DELETE FROM approvals WHERE node IN (SELECT node FROM approvals ORDER BY approved_ms, node
       LIMIT max(0, (SELECT count(*) FROM approvals) - ?))`,
  )
  const audit = db.prepare<[Omit<AuditEvent, 'id'>]>(
    `INSERT INTO timeline (time_ms, source, type, data) VALUES (@atMs, 'operator', @action, @data)`,
  )
  const trimAudit = db.prepare<[number]>(
    `DELETE FROM timeline WHERE source = 'operator' AND id <=
       (SELECT id FROM timeline WHERE source = 'operator' ORDER BY id DESC LIMIT 1 OFFSET ?)`,
  )
  return ({ change, audit: line }) => {
    if (change.kind === 'token-made') {
      token.run(change.token)
      trimTokens.run(tokensMax)
    } else if (change.kind === 'token-revoked') {
      revoke.run(change.revokedMs, change.id)
    } else if (change.kind === 'label' && change.label !== '') {
      label.run(change.node, change.label, change.setMs)
      trimLabels.run(labelsMax)
    } else if (change.kind === 'label') {
      unlabel.run(change.node)
    } else if (change.kind === 'approval' && change.approvedMs !== null) {
      approve.run(change.node, change.approvedMs)
      trimApprovals.run(approvalsMax)
    } else if (change.kind === 'approval') {
      disapprove.run(change.node)
    } else if (change.kind === 'forgotten') {
      unlabel.run(change.node)
      disapprove.run(change.node)
    }
    const { atMs, action, ...data } = line
    audit.run({ atMs, action, data: JSON.stringify(data satisfies AuditData) })
    trimAudit.run(auditRowsMax)
  }
}
