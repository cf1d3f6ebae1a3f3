/** Makes the CA and the server's certificate (X.509 v3, EC P-256: what rustls and every browser accept). */

import 'reflect-metadata'
import { createHash, type KeyObject, randomBytes, webcrypto } from 'node:crypto'
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
      new x509.SubjectKeyIdentifierExtension(await shortKeyId(keys.publicKey), false),
    ],
  })
  return `${certificate.toString('pem')}\n`
}

/**
 * The server's certificate for names and IP addresses, signed by the CA. Each TLS handshake carries it, so it has what TLS
 * clients ask for and no more: without basic constraints it is no CA either (RFC 5280, 4.2.1.9), and the identifier of its
 * own key would be for those that it issued.
 */
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
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await authorityKeyId(issuer),
      new x509.SubjectAlternativeNameExtension(
        names.map((name) => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name })),
      ),
    ],
  })
  return `${certificate.toString('pem')}\n`
}

/** RFC 5280, 4.2.1.2, method 2: the end of the key's SHA-1 with a mark in front, hex. Certificates repeat their CA's. */
async function shortKeyId(key: webcrypto.CryptoKey): Promise<string> {
  const point = new Uint8Array(await webcrypto.subtle.exportKey('raw', key))
  const end = createHash('sha1').update(point).digest().subarray(-8)
  end[0] = ((end[0] ?? 0) & 0x0f) | 0x40
  return end.toString('hex')
}

/** What the CA calls its own key; where it has no name, method 1. */
async function authorityKeyId(ca: x509.X509Certificate): Promise<x509.Extension> {
  const named = ca.getExtension(x509.SubjectKeyIdentifierExtension)
  if (named === null) return await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey, false)
  return new x509.AuthorityKeyIdentifierExtension(named.keyId, false)
}

/** 8 random bytes, positive and without a leading zero (RFC 5280, 4.1.2.2). */
function serial(): string {
  const bytes = randomBytes(8)
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
