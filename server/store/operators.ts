/**
 * Operators' tokens and labels of nodes, and the audit trail: the events of the timeline whose source is `operator`. They are of no
 * node, so that they stay when one is forgotten.
 */

import type Sqlite from 'better-sqlite3'
import { AUDIT_ROWS_MAX, LABELS_MAX, TOKENS_MAX } from '../../src/limits.js'
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
    | { readonly kind: 'none' }
}

/** Reads what operators have done. */
export interface OperatorTables {
  /** All tokens, oldest first, revoked ones too. */
  tokens(): TokenRow[]
  /** Label by node. */
  labels(): Map<string, string>
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
  const audit = db.prepare<[number, number], AuditEvent>(
    `SELECT id, time_ms AS atMs, type AS action, data FROM timeline
     WHERE source = 'operator' AND id < ? ORDER BY id DESC LIMIT ?`,
  )
  return {
    tokens: () => guard('reading the tokens', () => tokens.all()),
    labels: () =>
      guard('reading the labels', () => new Map(labels.all().map(({ node, label }) => [node, label]))),
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
  readonly auditRowsMax: number
}

const bounds: OperatorBounds = { tokensMax: TOKENS_MAX, labelsMax: LABELS_MAX, auditRowsMax: AUDIT_ROWS_MAX }

/** Writes one change and its line within a transaction. */
export function operatorWriter(
  db: Sqlite.Database,
  { tokensMax, labelsMax, auditRowsMax }: OperatorBounds = bounds,
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
    }
    const { atMs, action, ...data } = line
    audit.run({ atMs, action, data: JSON.stringify(data satisfies AuditData) })
    trimAudit.run(auditRowsMax)
  }
}
