/** The keys of servers on other machines that this user has trusted: a line each, as ssh has them. */
import { createHash } from 'node:crypto'
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { BootswarmError } from '../../src/errors.js'

/** What it needs. */
export interface KnownServersOptions {
  readonly file: string
  /** Asks the person at the terminal; undefined: there is none. */
  readonly ask: ((question: string) => Promise<boolean>) | undefined
}

/** See the module. */
export class KnownServers {
  readonly #options: KnownServersOptions

  constructor(options: KnownServersOptions) {
    this.#options = options
  }

  /**
   * Whether the server at `name` (`HOST:PORT`) is the right one.
   *
   * @param key its public key (SPKI, DER)
   * @param expected SHA-256 of the right one, hex; undefined: the one that was trusted before, or is now
   * @throws {BootswarmError} SERVER_KEY_UNKNOWN, SERVER_KEY_CHANGED
   */
  async check(name: string, key: Uint8Array, expected: string | undefined): Promise<void> {
    const { file, ask } = this.#options
    const sha256 = createHash('sha256').update(key).digest('hex')
    const known = expected ?? this.#find(name)
    if (known === sha256) return
    if (known !== undefined) {
      const message =
        expected === undefined
          ? `${name} has another key (${sha256}) than when you trusted it (${known}): somebody may sit in between. If the server was set up anew, remove its line from ${file}`
          : `${name} has another key: ${sha256}`
      throw new BootswarmError('SERVER_KEY_CHANGED', message)
    }
    const question = `${name} is not known here. The SHA-256 of its key is\n  ${sha256}\n\`bootswarm status\` on the server shows the same. Trust it?`
    if (ask === undefined || !(await ask(question))) {
      const message = `${name} is not known here: give --fingerprint ${sha256} if \`bootswarm status\` on the server shows the same, or --ca FILE`
      throw new BootswarmError('SERVER_KEY_UNKNOWN', message)
    }
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    appendFileSync(file, `${name} ${sha256}\n`, { mode: 0o600 })
  }

  #find(name: string): string | undefined {
    let text: string
    try {
      text = readFileSync(this.#options.file, 'utf8')
    } catch {
      return undefined
    }
    const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `))
    return line?.slice(name.length + 1).trim()
  }
}
