/** What a node must trust: the server's CA and manifest key, which the server itself makes at its first start. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureIdentity } from '../server/identity/identity.js'
import { BootswarmError } from '../src/errors.js'

/** The files of `data/trust`. */
export interface TrustFiles {
  /** Where they lie. */
  readonly dir: string
  readonly ca: string
  readonly manifestKeys: string
}

/** The server whose trust files are wanted. */
export interface TrustOwner {
  readonly dataDir: string
  readonly site: string
  readonly addresses: readonly string[]
}

/**
 * Reads a directory of trust files.
 * @throws {BootswarmError} TRUST_MISSING
 */
export function readTrust(dir: string): TrustFiles {
  const read = (name: string, mark: RegExp) => {
    const file = join(dir, name)
    const text = existsSync(file) ? readFileSync(file, 'utf8') : undefined
    if (text === undefined) throw missing(`there is no ${file}`)
    if (!mark.test(text)) throw missing(`${file} is not what it should be`)
    return text
  }
  return {
    dir,
    ca: read('ca.pem', /^-----BEGIN CERTIFICATE-----$/m),
    manifestKeys: read('manifest.pub', /^[A-Za-z0-9+/]{43}=$/m),
  }
}

/** The trust files of this server; made, with its keys, by the server's own code where it was never started. */
export async function trustOfServer({ dataDir, site, addresses }: TrustOwner): Promise<TrustFiles> {
  const dir = join(dataDir, 'trust')
  const isThere = existsSync(join(dir, 'ca.pem')) && existsSync(join(dir, 'manifest.pub'))
  if (!isThere) await ensureIdentity({ dataDir, site, addresses, nowMs: Date.now() })
  return readTrust(dir)
}

function missing(what: string): BootswarmError {
  return new BootswarmError(
    'TRUST_MISSING',
    `${what}: stage 1 must carry the server's ca.pem and manifest.pub, so that nodes know it`,
  )
}
