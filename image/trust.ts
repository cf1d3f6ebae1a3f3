/** What a node must trust: the server's CA and manifest key, which the server itself makes at its first start. */
import { createPrivateKey, randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCaCertificate, createEcKey } from '../server/identity/certificates.js'
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

/**
 * The trust files of this server. Where it was never started, its own code makes them and its keys; in a dry run
 * nothing is made, and files of that size stand in for them.
 */
export async function trustOfServer(
  { dataDir, site, addresses }: TrustOwner,
  dryRun = false,
): Promise<TrustFiles> {
  const dir = join(dataDir, 'trust')
  const isThere = existsSync(join(dir, 'ca.pem')) && existsSync(join(dir, 'manifest.pub'))
  if (isThere) return readTrust(dir)
  const nowMs = Date.now()
  if (dryRun) {
    const ca = await createCaCertificate(createPrivateKey(await createEcKey()), site, nowMs)
    return { dir, ca, manifestKeys: `${randomBytes(32).toString('base64')}\n` }
  }
  await ensureIdentity({ dataDir, site, addresses, nowMs })
  return readTrust(dir)
}

function missing(what: string): BootswarmError {
  return new BootswarmError(
    'TRUST_MISSING',
    `${what}: stage 1 must carry the server's ca.pem and manifest.pub, so that nodes know it`,
  )
}
