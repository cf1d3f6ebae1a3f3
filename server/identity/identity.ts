/**
 * The server's identity: a CA, a certificate that follows the machine's addresses, and the ed25519 key that signs
 * manifests. Made at the first start; whatever a kill left undone is done at the next.
 */

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  X509Certificate,
} from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { BootswarmError } from '../../src/errors.js'
import { createCaCertificate, createEcKey, createServerCertificate } from './certificates.js'
import { ensureDirectory, readIfThere, readPrivate, removeTemporaries, writeFileAtomically } from './files.js'

/** What a running server needs of its identity. */
export interface Identity {
  /** For the HTTPS listener: the leaf only, because every byte is paid once for each node. */
  readonly tls: { readonly key: string; readonly cert: string }
  /** The CA's certificate, PEM: what nodes trust. */
  readonly caCertificate: string
  /** Signs manifests (ed25519). */
  readonly signingKey: KeyObject
  /** Its public half. */
  readonly signingPublicKey: KeyObject
  /** The directory with `ca.pem` and `manifest.pub`, to be put into stage 1. */
  readonly trustDir: string
  /** What was made in this call, for the log: `ca`, `certificate`, `signing key`. */
  readonly made: readonly string[]
}

/** What the identity depends on. */
export interface IdentityOptions {
  readonly dataDir: string
  readonly site: string
  /** IP addresses and names that nodes may use; `localhost`, 127.0.0.1 and ::1 are added. */
  readonly addresses: readonly string[]
  readonly nowMs: number
}

const DAY_MS = 86_400_000
/** The certificate is renewed this long before it ends. */
const RENEW_BEFORE_MS = 60 * DAY_MS

/**
 * Loads the identity, and makes what is missing or out of date. The CA and the signing key are never replaced.
 *
 * @throws BootswarmError KEY_PERMISSIONS, DATA_DIR_UNUSABLE
 */
export async function ensureIdentity(options: IdentityOptions): Promise<Identity> {
  const { dataDir, nowMs } = options
  const keysDir = join(dataDir, 'keys')
  const trustDir = join(dataDir, 'trust')
  ensureDirectory(dataDir, 0o755)
  ensureDirectory(keysDir, 0o700, true)
  ensureDirectory(trustDir, 0o755)
  removeTemporaries(keysDir)
  removeTemporaries(trustDir)
  const made: string[] = []

  const signingKey = await privateKey(join(keysDir, 'manifest.key'), 'ed25519', () => {
    made.push('signing key')
    const pair = generateKeyPairSync('ed25519')
    return pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  })
  const signingPublicKey = createPublicKey(signingKey)

  const caFile = join(keysDir, 'ca.pem')
  let caCertificate = readIfThere(caFile)
  const caKeyFile = join(keysDir, 'ca.key')
  // The key is written first, so one that is missing was lost: a new one would lock out every node.
  if (caCertificate && readPrivate(caKeyFile) === undefined) throw unusable(caFile, 'has lost its ca.key')
  const caKey = await privateKey(caKeyFile, 'ec', createEcKey)
  if (caCertificate && !isCertificateOf(caCertificate, caKey)) {
    throw unusable(caFile, 'is not the certificate of ca.key')
  }
  if (!caCertificate) {
    caCertificate = await createCaCertificate(caKey, options.site, nowMs)
    writeFileAtomically(caFile, caCertificate, 0o644)
    made.push('ca')
  }

  const serverKey = await privateKey(join(keysDir, 'server.key'), 'ec', createEcKey)
  const names = [...new Set([...options.addresses, 'localhost', '127.0.0.1', '::1'])].sort()
  const certFile = join(keysDir, 'server.pem')
  let cert = readIfThere(certFile)
  if (!cert || !isCurrent(cert, serverKey, caCertificate, names, nowMs)) {
    cert = await createServerCertificate(serverKey, { certificate: caCertificate, key: caKey }, names, nowMs)
    writeFileAtomically(certFile, cert, 0o644)
    made.push('certificate')
  }

  publish(join(trustDir, 'ca.pem'), caCertificate)
  publish(join(trustDir, 'manifest.pub'), `${rawEd25519(signingPublicKey).toString('base64')}\n`)
  return {
    tls: { key: serverKey.export({ type: 'pkcs8', format: 'pem' }) as string, cert },
    caCertificate,
    signingKey,
    signingPublicKey,
    trustDir,
    made,
  }
}

/** The 32 raw bytes of an ed25519 public key, as `manifest.pub` holds them (base64, one line). */
function rawEd25519(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url')
}

async function privateKey(
  file: string,
  type: 'ec' | 'ed25519',
  make: () => string | Promise<string>,
): Promise<KeyObject> {
  let text = readPrivate(file)
  if (text === undefined) {
    text = await make()
    writeFileAtomically(file, text, 0o600)
  }
  try {
    const key = createPrivateKey(text)
    if (key.asymmetricKeyType === type) return key
  } catch {
    // Said below, without the key's text.
  }
  throw unusable(file, `holds no ${type} private key`)
}

function isCertificateOf(certificate: string, key: KeyObject): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(key)
  } catch {
    return false
  }
}

/** Whether the certificate is ours, holds all names and is valid long enough. */
function isCurrent(
  pem: string,
  key: KeyObject,
  ca: string,
  names: readonly string[],
  nowMs: number,
): boolean {
  try {
    const certificate = new X509Certificate(pem)
    return (
      certificate.checkPrivateKey(key) &&
      certificate.verify(new X509Certificate(ca).publicKey) &&
      Date.parse(certificate.validFrom) <= nowMs &&
      Date.parse(certificate.validTo) - RENEW_BEFORE_MS > nowMs &&
      names.every((name) =>
        isIP(name) === 0
          ? certificate.checkHost(name) !== undefined
          : certificate.checkIP(name) !== undefined,
      )
    )
  } catch {
    return false
  }
}

function publish(file: string, text: string): void {
  if (readIfThere(file) !== text) writeFileAtomically(file, text, 0o644)
}

function unusable(file: string, why: string): BootswarmError {
  return new BootswarmError('DATA_DIR_UNUSABLE', `${file} ${why}: restore it from a backup, or remove it`)
}
