/** From the data directory to findings: who may read the keys, and what the certificate says. Pure. */

import { X509Certificate } from 'node:crypto'
import { isIPv6 } from 'node:net'
import type { Site } from '../check.js'
import { type Finding, finding } from '../finding.js'

/** A file or directory. */
export interface PathFacts {
  readonly path: string
  /** Permissions, 9 bits. */
  readonly mode: number
  readonly uid: number
}

/** What was seen. */
export interface IdentityFacts {
  /** The data directory and the keys directory, as far as they are there. */
  readonly directories: readonly PathFacts[]
  /** Private keys. */
  readonly keys: readonly PathFacts[]
  /** PEM; empty where there is none. */
  readonly certificate: string
  readonly ca: string
  /** User id of the running server; undefined if none runs. */
  readonly serverUid: number | undefined
}

const dayMs = 86_400_000
/** The server renews its certificate 60 days before its end: later means that it does not. */
const renewedDays = 45

/** All about the data directory. */
export function judgeIdentity(
  facts: IdentityFacts,
  { config, nowMs, server }: Pick<Site, 'config' | 'nowMs' | 'server'>,
): Finding[] {
  return [
    ...permissions(facts),
    ...certificate(facts, config, nowMs, server !== undefined),
    ...authority(facts, nowMs),
  ]
}

function permissions({ directories, keys, serverUid }: IdentityFacts): Finding[] {
  const open = keys.filter(({ mode }) => (mode & 0o077) !== 0)
  const writable = directories.filter(({ mode }) => (mode & 0o022) !== 0)
  // Root may read all; another server only what is its own.
  const foreign =
    serverUid === undefined || serverUid === 0 ? [] : keys.filter(({ uid }) => uid !== serverUid)
  return [
    ...open.map(({ path, mode }) =>
      finding(
        'KEY_PERMISSIONS',
        `${path} has mode ${octal(mode)}, others could use it: the server does not start`,
        `chmod 600 ${path}; if others may have read it, remove the keys and build stage 1 again`,
      ),
    ),
    ...writable.map(({ path, mode }) =>
      finding(
        'DATA_DIR_OPEN',
        `${path} has mode ${octal(mode)}: others may replace the keys in it`,
        `chmod go-w ${path}`,
      ),
    ),
    ...foreign.map(({ path, uid }) =>
      finding(
        'KEY_PERMISSIONS',
        `${path} belongs to user id ${uid}, and the server runs as ${serverUid}: it cannot read it again`,
        `chown ${serverUid} ${path}`,
      ),
    ),
  ]
}

function certificate(
  { certificate: pem, ca }: IdentityFacts,
  { address }: Site['config'],
  nowMs: number,
  isRunning: boolean,
): Finding[] {
  const parsed = parse(pem)
  if (parsed === undefined) return []
  const restart = isRunning
    ? 'restart the server: it makes a new certificate'
    : 'start the server: it makes a new certificate'
  const endsMs = Date.parse(parsed.validTo)
  const findings: Finding[] = []
  if (endsMs < nowMs + renewedDays * dayMs) {
    const isOver = endsMs < nowMs
    const text = isOver ? 'ended' : 'ends'
    // A server that starts renews it first.
    const severity = isOver && isRunning ? 'stops' : 'hurts'
    findings.push(
      finding(
        'CERTIFICATE_ENDS',
        `the server's certificate ${text} on ${day(endsMs)}`,
        `${restart}; check the clock: date`,
        severity,
      ),
    )
  }
  if (parsed.checkIP(plain(address)) === undefined && isRunning) {
    findings.push(
      finding(
        'CERTIFICATE_OTHER_ADDRESS',
        `the server's certificate is not for ${address}: nodes stop with TLS_FAILED. It is for ${parsed.subjectAltName}`,
        'the server makes another when its addresses change: look for part.failed in its log; otherwise restart it',
      ),
    )
  }
  const authority = parse(ca)
  if (authority !== undefined && !parsed.verify(authority.publicKey)) {
    findings.push(
      finding(
        'CERTIFICATE_OTHER_CA',
        'the server’s certificate is not signed by the CA of its trust directory: nodes stop with TLS_FAILED',
        restart,
      ),
    )
  }
  return findings
}

function authority({ ca }: IdentityFacts, nowMs: number): Finding[] {
  const parsed = parse(ca)
  if (parsed === undefined) return []
  const endsMs = Date.parse(parsed.validTo)
  if (endsMs > nowMs + 365 * dayMs) return []
  const seen = `the CA that all nodes trust ends on ${day(endsMs)}`
  return [
    finding(
      'CERTIFICATE_ENDS',
      seen,
      'check the clock (date); otherwise remove data/keys and data/trust, start the server, and build stage 1 again',
      endsMs < nowMs ? 'stops' : 'hurts',
    ),
  ]
}

function parse(pem: string): X509Certificate | undefined {
  try {
    return pem === '' ? undefined : new X509Certificate(pem)
  } catch {
    return undefined
  }
}

/** OpenSSL compares the long form of IPv6 addresses by itself; zones it does not know. */
function plain(address: string): string {
  return isIPv6(address) ? address.replace(/%.*$/, '') : address
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
