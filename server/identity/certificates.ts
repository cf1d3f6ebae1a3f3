/** Makes the CA and the server's certificate (X.509 v3, EC P-256: what rustls and every browser accept). */

import 'reflect-metadata'
import { type KeyObject, randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'

const SIGNING = { name: 'ECDSA', hash: 'SHA-256' }
const CURVE = { name: 'ECDSA', namedCurve: 'P-256' }
const DAY_MS = 86_400_000
/** A rig with an empty clock battery starts in 1970 or 2000, and must still get its manifest, which tells it the time. */
const NOT_BEFORE = new Date(0)
/** The CA outlives the farm: changing it means new stage 1 images everywhere. */
const CA_DAYS = 30 * 365
/** Renewed long before; the CA, which nodes carry, stays. */
const SERVER_DAYS = 730

/** A certificate with its private key, both PEM. */
export interface CertifiedKey {
  readonly certificate: string
  readonly key: string
}

/** A new private key, PKCS 8 PEM. */
export async function createEcKey(): Promise<string> {
  const pair = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', pair.privateKey))
  return pem('PRIVATE KEY', pkcs8)
}

/** The CA's self-signed certificate. */
export async function createCaCertificate(key: KeyObject, site: string, nowMs: number): Promise<string> {
  const keys = await importPair(key)
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [`${site} bootswarm CA`.slice(0, 64)] }],
    notBefore: NOT_BEFORE,
    notAfter: new Date(nowMs + CA_DAYS * DAY_MS),
    keys,
    signingAlgorithm: SIGNING,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false),
    ],
  })
  return `${certificate.toString('pem')}\n`
}

/** The server's certificate for names and IP addresses, signed by the CA. */
export async function createServerCertificate(
  key: KeyObject,
  ca: { readonly certificate: string; readonly key: KeyObject },
  names: readonly string[],
  nowMs: number,
): Promise<string> {
  const issuer = new x509.X509Certificate(ca.certificate)
  const own = await importPair(key)
  const signing = await importPair(ca.key)
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: [{ CN: ['bootswarm'] }],
    issuer: issuer.subjectName,
    notBefore: NOT_BEFORE,
    notAfter: new Date(Math.min(nowMs + SERVER_DAYS * DAY_MS, issuer.notAfter.getTime())),
    publicKey: own.publicKey,
    signingKey: signing.privateKey,
    signingAlgorithm: SIGNING,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.SubjectKeyIdentifierExtension.create(own.publicKey, false),
      await x509.AuthorityKeyIdentifierExtension.create(signing.publicKey, false),
      new x509.SubjectAlternativeNameExtension(
        names.map((name) => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name })),
      ),
    ],
  })
  return `${certificate.toString('pem')}\n`
}

/** 16 random bytes, positive and without a leading zero (RFC 5280, 4.1.2.2). */
function serial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}

async function importPair(key: KeyObject): Promise<webcrypto.CryptoKeyPair> {
  const jwk = key.export({ format: 'jwk' })
  const { d: _, ...open } = jwk
  const [privateKey, publicKey] = await Promise.all([
    webcrypto.subtle.importKey('jwk', jwk, CURVE, true, ['sign']),
    webcrypto.subtle.importKey('jwk', open, CURVE, true, ['verify']),
  ])
  return { privateKey, publicKey }
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
