/** Operators' tokens: in memory by their ids, on the disk as hashes. */
import { BootswarmError } from '../../../src/errors.js'
import { TOKENS_MAX } from '../../../src/limits.js'
import type { Role } from '../../../src/roles.js'
import type { Author } from './services.js'
import { formatToken, idBytes, isSameHash, parseToken, secretBytes } from './token-text.js'

/** A token without what would let somebody in. */
export interface Token {
  readonly id: string
  readonly role: Role
  readonly name: string
  /** Milliseconds since 1970. */
  readonly createdMs: number
  /** Null while it is good. */
  readonly revokedMs: number | null
}

/** A token as it is remembered. */
export interface StoredToken extends Token {
  /** Of its secret, hex. */
  readonly sha256: string
}

/** Compared with where there is no such token, so that the time taken does not tell which ids exist. */
const nobodysHash = '0'.repeat(64)

/** What tokens are made of. */
export interface TokensOptions {
  readonly stored: readonly StoredToken[]
  /** Resolve when the change and its line of the audit trail are on the disk. @throws BootswarmError CHANGE_NOT_SAVED */
  readonly save: {
    made(token: StoredToken, author: Author): Promise<void>
    revoked(token: Token, revokedMs: number, author: Author): Promise<void>
  }
  /** Unpredictable bytes. */
  readonly random: (bytes: number) => Uint8Array
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number
}

/** All tokens. */
export class Tokens {
  readonly #options: TokensOptions
  readonly #tokens: Map<string, StoredToken>

  constructor(options: TokensOptions) {
    this.#options = options
    this.#tokens = new Map(options.stored.map((token) => [token.id, token]))
  }

  /** Whether there has never been one. */
  get isEmpty(): boolean {
    return this.#tokens.size === 0
  }

  /** All, oldest first, revoked ones too. */
  list(): Token[] {
    return [...this.#tokens.values()].map(withoutHash)
  }

  /** The token that this text is, if it is good. */
  check(text: string): Token | undefined {
    const parsed = parseToken(text)
    if (parsed === undefined) return undefined
    const token = this.#tokens.get(parsed.id)
    const isRight = isSameHash(token?.sha256 ?? nobodysHash, parsed.sha256)
    return token !== undefined && isRight && token.revokedMs === null ? withoutHash(token) : undefined
  }

  /**
   * Makes a token; its text is known to nobody else.
   *
   * @throws BootswarmError TOKENS_TOO_MANY, CHANGE_NOT_SAVED
   */
  async make(
    role: Role,
    name: string,
    author: Author,
  ): Promise<{ readonly text: string; readonly token: Token }> {
    const good = [...this.#tokens.values()].filter(({ revokedMs }) => revokedMs === null)
    if (good.length >= TOKENS_MAX) {
      const message = `there are ${TOKENS_MAX} tokens: revoke those that nobody uses`
      throw new BootswarmError('TOKENS_TOO_MANY', message)
    }
    const { text, id, sha256 } = this.#draw()
    const token = { id, sha256, role, name, createdMs: this.#options.nowMs(), revokedMs: null }
    await this.#options.save.made(token, author)
    this.#tokens.set(id, token)
    return { text, token: withoutHash(token) }
  }

  /**
   * A token lets nobody in any more.
   *
   * @throws BootswarmError TOKEN_UNKNOWN, CHANGE_NOT_SAVED
   */
  async revoke(id: string, author: Author): Promise<Token> {
    const token = this.#tokens.get(id)
    if (token === undefined || token.revokedMs !== null)
      throw new BootswarmError('TOKEN_UNKNOWN', 'there is no such token, or it has been revoked')
    const revokedMs = this.#options.nowMs()
    await this.#options.save.revoked(withoutHash(token), revokedMs, author)
    const revoked = { ...token, revokedMs }
    this.#tokens.set(id, revoked)
    return withoutHash(revoked)
  }

  #draw(): { readonly text: string; readonly id: string; readonly sha256: string } {
    const { random } = this.#options
    for (;;) {
      const text = formatToken(random(idBytes), random(secretBytes))
      const parsed = parseToken(text)
      if (parsed !== undefined && !this.#tokens.has(parsed.id)) return { text, ...parsed }
    }
  }
}

function withoutHash({ sha256: _, ...token }: StoredToken): Token {
  return token
}
