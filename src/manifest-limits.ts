/** The ranges and forms of a manifest's values (docs/manifest.md): all violations are MANIFEST_LIMIT. */

import { BootswarmError } from './errors.js'
import {
  ARTIFACT_BYTES_MAX,
  ARTIFACT_NAME_BYTES_MAX,
  HOSTNAME_LENGTH_MAX,
  MANIFEST_ADDRESSES_MAX,
  MANIFEST_ARTIFACTS_MAX,
  MANIFEST_INLINE_PIECES_MAX,
  MANIFEST_ORIGINS_MAX,
  MANIFEST_URL_LENGTH_MAX,
  NAME_LENGTH_MAX,
  PIECE_LENGTH_MAX_BYTES,
  PIECE_LENGTH_MIN_BYTES,
  SETTING_NAME_BYTES_MAX,
  SETTING_VALUE_BYTES_MAX,
  SETTINGS_MAX,
} from './limits.js'
import type { Manifest, ManifestArtifact } from './manifest-types.js'
import { pieceCount } from './metainfo.js'
import { parseIpPort } from './net.js'
import { isNodeId } from './node-id.js'

const HEX_40 = /^[0-9a-f]{40}$/
const HEX_64 = /^[0-9a-f]{64}$/
const SETTING_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** @throws BootswarmError MANIFEST_LIMIT */
export function checkLimits(manifest: Manifest): void {
  const { node } = manifest
  demand(manifest.version >= 1, 'version must be 1 or more')
  demand(isNonce(manifest.nonce), 'nonce must be 32 lower-case hex digits')
  demand(isNodeId(node.id), 'node.id is no node identity')
  text(node.hostname, 'node.hostname', HOSTNAME_LENGTH_MAX)
  // It becomes a line of /etc/hostname.
  demand(
    /^[A-Za-z0-9._-]+$/.test(node.hostname),
    'node.hostname may hold letters, digits, dashes, dots and _ only',
  )
  text(node.rack, 'node.rack', NAME_LENGTH_MAX)
  text(manifest.site, 'site', NAME_LENGTH_MAX)
  text(manifest.events_url, 'events_url', MANIFEST_URL_LENGTH_MAX)
  const settings = Object.entries(node.settings)
  demand(
    settings.length <= SETTINGS_MAX,
    `node.settings has ${settings.length} members, at most ${SETTINGS_MAX}`,
  )
  for (const [name, value] of settings) checkSetting(name, value)
  addresses(manifest.dht, 'dht')
  addresses(manifest.seeders, 'seeders')
  list(manifest.trackers, 'trackers', 0, MANIFEST_ADDRESSES_MAX)
  for (const url of manifest.trackers) text(url, 'trackers[]', MANIFEST_URL_LENGTH_MAX)
  list(manifest.artifacts, 'artifacts', 1, MANIFEST_ARTIFACTS_MAX)
  for (const artifact of manifest.artifacts) checkArtifact(artifact)
  const infohashes = new Set(manifest.artifacts.map((artifact) => artifact.infohash))
  demand(infohashes.size === manifest.artifacts.length, 'artifacts: one of them is listed twice')
}

/**
 * Checks one setting: also for the configuration, so that a node never fails for it.
 *
 * @throws BootswarmError MANIFEST_LIMIT
 */
export function checkSetting(name: string, value: string): void {
  demand(
    SETTING_NAME.test(name) && name.length <= SETTING_NAME_BYTES_MAX,
    `the setting name ${JSON.stringify(name.slice(0, 80))} must be up to 64 of A-Z a-z 0-9 _, the first no digit`,
  )
  demand(
    Buffer.byteLength(value) <= SETTING_VALUE_BYTES_MAX,
    `the value of ${name} has more than ${SETTING_VALUE_BYTES_MAX} bytes`,
  )
  demand(!/[\0\n]/.test(value), `the value of ${name} holds a line feed or NUL`)
}

/** Whether the text is a nonce: 32 lower-case hex digits. */
export function isNonce(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text)
}

/** Whether a file name can stand in a manifest: 1-128 bytes, no `/`, no NUL, not `.` or `..`. */
function isArtifactName(name: string): boolean {
  const bytes = Buffer.byteLength(name)
  return (
    bytes >= 1 && bytes <= ARTIFACT_NAME_BYTES_MAX && !/[/\0]/.test(name) && name !== '.' && name !== '..'
  )
}

/** Whether the hashes of an artifact's pieces stand in the manifest. */
export function isInline(artifact: Pick<ManifestArtifact, 'size_bytes' | 'piece_length'>): boolean {
  return pieceCount(artifact.size_bytes, artifact.piece_length) <= MANIFEST_INLINE_PIECES_MAX
}

function checkArtifact(artifact: ManifestArtifact): void {
  demand(
    isArtifactName(artifact.name),
    `the artifact name ${JSON.stringify(artifact.name.slice(0, 140))} is invalid`,
  )
  const { name, piece_length: length, size_bytes: size } = artifact
  demand(['tar', 'cpio', 'squashfs', 'raw'].includes(artifact.format), `${name}: unknown format`)
  demand(['rootfs', 'plugin'].includes(artifact.kind), `${name}: unknown kind`)
  demand(HEX_40.test(artifact.infohash), `${name}: infohash must be 40 lower-case hex digits`)
  demand(HEX_64.test(artifact.sha256), `${name}: sha256 must be 64 lower-case hex digits`)
  list(artifact.origins, `${name}: origins`, 1, MANIFEST_ORIGINS_MAX)
  for (const url of artifact.origins) {
    text(url, `${name}: origins[]`, MANIFEST_URL_LENGTH_MAX)
    demand(url.startsWith('https://'), `${name}: an origin is not an HTTPS URL`)
  }
  demand(size >= 1 && size <= ARTIFACT_BYTES_MAX, `${name}: size_bytes must be 1 to 2^40`)
  demand(
    length >= PIECE_LENGTH_MIN_BYTES &&
      length <= PIECE_LENGTH_MAX_BYTES &&
      Number.isInteger(Math.log2(length)),
    `${name}: piece_length must be a power of two from 16384 to 4194304`,
  )
  demand(BASE64.test(artifact.pieces) && artifact.pieces.length % 4 === 0, `${name}: pieces is not base64`)
  const pieces = Buffer.from(artifact.pieces, 'base64')
  demand(pieces.toString('base64') === artifact.pieces, `${name}: pieces is not canonical base64`)
  const due = isInline(artifact) ? 20 * pieceCount(size, length) : 0
  demand(pieces.length === due, `${name}: pieces has ${pieces.length} bytes, ${due} are due`)
}

function addresses(values: readonly string[], name: string): void {
  list(values, name, 0, MANIFEST_ADDRESSES_MAX)
  for (const value of values) demand(parseIpPort(value) !== undefined, `${name}: not IP:PORT`)
}

function list(values: readonly unknown[], name: string, min: number, max: number): void {
  demand(
    values.length >= min && values.length <= max,
    `${name} has ${values.length} entries, ${min} to ${max} are allowed`,
  )
}

function text(value: string, name: string, lengthMax: number): void {
  demand(
    value.length >= 1 && Buffer.byteLength(value) <= lengthMax,
    `${name} must have 1 to ${lengthMax} bytes`,
  )
}

function demand(holds: boolean, message: string): asserts holds {
  if (!holds) throw new BootswarmError('MANIFEST_LIMIT', message)
}
