/** What operators did, as it is written: each change with its event of the timeline, which is its line of the audit trail. */
import { BootswarmError } from '../../../src/errors.js'
import { type NextBoot, nextBootText } from '../../../src/next-boot.js'
import type { Role } from '../../../src/roles.js'
import type { OperatorAction } from '../../../src/timeline.js'
import type { ActionRow, OperatorJob, Store } from '../../store/store.js'
import type { AuditLine, Author } from './services.js'
import type { StoredToken, TokensOptions } from './tokens.js'

/** The tables, with what operators said of nodes in memory. */
export class OperatorRecords {
  readonly #store: Pick<Store, 'operators' | 'saveOperator'>
  readonly #nowMs: () => number
  readonly #labels: Map<string, string>
  readonly #approved: Set<string>
  readonly #drained: Map<string, string>

  /** @param nowMs wall clock, milliseconds since 1970 */
  constructor(store: Pick<Store, 'operators' | 'saveOperator'>, nowMs: () => number) {
    this.#store = store
    this.#nowMs = nowMs
    this.#labels = store.operators.labels()
    this.#approved = store.operators.approvals()
    this.#drained = store.operators.drains()
  }

  /** All tokens, as they were written. */
  tokens(): StoredToken[] {
    return this.#store.operators.tokens().map((row) => ({ ...row, role: row.role as Role }))
  }

  /** Empty: none. */
  labelOf(node: string): string {
    return this.#labels.get(node) ?? ''
  }

  /** @throws BootswarmError CHANGE_NOT_SAVED */
  async label(node: string, label: string, author: Author): Promise<void> {
    const change = { kind: 'label', node, label, setMs: this.#nowMs() } as const
    await this.#save(author, label === '' ? 'node.unlabelled' : 'node.labelled', node, label, change)
    this.#setLabel(node, label)
  }

  isApproved(node: string): boolean {
    return this.#approved.has(node)
  }

  /** Lets a node boot, or no more. @throws BootswarmError CHANGE_NOT_SAVED */
  async approve(node: string, isApproved: boolean, author: Author): Promise<void> {
    const change = { kind: 'approval', node, approvedMs: isApproved ? this.#nowMs() : null } as const
    await this.#save(author, isApproved ? 'node.approved' : 'node.disapproved', node, '', change)
    if (isApproved) this.#approved.add(node)
    else this.#approved.delete(node)
  }

  /** Why a node is drained, which may be empty; undefined: it is not. */
  drainOf(node: string): string | undefined {
    return this.#drained.get(node)
  }

  /** Lets a node boot no more, or (`undefined`) again. @throws BootswarmError CHANGE_NOT_SAVED */
  async drain(node: string, reason: string | undefined, author: Author): Promise<void> {
    const change = { kind: 'drain', node, reason: reason ?? null, drainedMs: this.#nowMs() } as const
    const action = reason === undefined ? 'node.undrained' : 'node.drained'
    await this.#save(author, action, node, reason ?? '', change)
    if (reason === undefined) this.#drained.delete(node)
    else this.#drained.set(node, reason)
  }

  /**
   * What a node boots once, or (`undefined`) as always. Returns when it was set, milliseconds since 1970.
   *
   * @throws BootswarmError CHANGE_NOT_SAVED
   */
  async nextBoot(node: string, nextBoot: NextBoot | undefined, author: Author): Promise<number> {
    const setMs = this.#nowMs()
    const content = nextBoot === undefined ? null : JSON.stringify(nextBoot)
    const action = nextBoot === undefined ? 'node.next-boot-cleared' : 'node.next-boot-set'
    const detail = nextBoot === undefined ? '' : nextBootText(nextBoot)
    await this.#save(author, action, node, detail, { kind: 'next-boot', node, content, setMs })
    return setMs
  }

  /** The node is about to be forgotten. @throws BootswarmError CHANGE_NOT_SAVED */
  async forgetting(node: string, author: Author): Promise<void> {
    await this.#save(author, 'node.forgotten', node, '', { kind: 'forgotten', node })
    this.#setLabel(node, '')
    this.#approved.delete(node)
    this.#drained.delete(node)
  }

  /** An action is about to begin. @throws BootswarmError CHANGE_NOT_SAVED */
  actionStarted(action: ActionRow, detail: string, author: Author): Promise<void> {
    return this.#save(author, 'action.started', action.id, detail, { kind: 'action', action })
  }

  /** An action is about to be stopped. @throws BootswarmError CHANGE_NOT_SAVED */
  actionStopped(id: string, author: Author): Promise<void> {
    return this.#save(author, 'action.stopped', id, '', { kind: 'none' })
  }

  /** How tokens are saved. */
  readonly tokenChanges: TokensOptions['save'] = {
    made: (token, author) => {
      const detail = token.name === '' ? token.role : `${token.role}, ${token.name}`
      return this.#save(author, 'token.made', token.id, detail, { kind: 'token-made', token })
    },
    revoked: ({ id, name }, revokedMs, author) =>
      this.#save(author, 'token.revoked', id, name, { kind: 'token-revoked', id, revokedMs }),
  }

  /** The newest lines before one, newest first. */
  audit(beforeId: number, limit: number): readonly AuditLine[] {
    return this.#store.operators.audit(beforeId, limit)
  }

  #setLabel(node: string, label: string): void {
    if (label === '') this.#labels.delete(node)
    else this.#labels.set(node, label)
  }

  async #save(
    { who, address }: Author,
    action: OperatorAction,
    target: string,
    detail: string,
    change: OperatorJob['change'],
  ): Promise<void> {
    try {
      await this.#store.saveOperator({
        change,
        audit: { atMs: this.#nowMs(), who, address, action, target, detail },
      })
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new BootswarmError('CHANGE_NOT_SAVED', `the change was not made: ${reason}`, { cause })
    }
  }
}
