/** The identity of a node (docs/protocol.md): 1-64 characters of `a-z 0-9 . _ : -`, the first a letter or digit. */

import { HOSTNAME_LENGTH_MAX } from './limits.js'

const NODE_ID = /^[a-z0-9][a-z0-9._:-]{0,63}$/
const MAC =
  /^(?:[0-9a-f]{12}|[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4})$/

/** Whether the text is an identity, without any normalisation. */
export function isNodeId(text: string): boolean {
  return NODE_ID.test(text)
}

/** A MAC address as `aa:bb:cc:dd:ee:ff`, from colons, dashes, dots (Cisco) or bare digits; undefined if it is none. */
export function normalizeMac(text: string): string | undefined {
  const lower = text.toLowerCase()
  if (!MAC.test(lower)) return undefined
  return lower.replace(/[:.-]/g, '').replace(/(..)(?=.)/g, '$1:')
}

/**
 * The first bytes of a MAC address, or a whole one, as bare digits: `52:54:00`, `52-54-00-*`, `5254.00`. Undefined if the
 * text is something else.
 */
export function macPrefix(text: string): string | undefined {
  const digits = text
    .toLowerCase()
    .replace(/[:.-]?\*$/, '')
    .replace(/[:.-]/g, '')
  return /^(?:[0-9a-f]{2}){1,6}$/.test(digits) ? digits : undefined
}

/** A host name for a node that has none configured: its identity with what a label (RFC 1123) cannot hold as dashes. */
export function defaultHostname(nodeId: string): string {
  const mac = normalizeMac(nodeId)
  return hostLabel(mac ? `node-${mac.replaceAll(':', '')}` : nodeId)
}

/** A text as a host name or a part of one, lower case: what a label cannot hold becomes dashes. It may be empty. */
export function hostLabel(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .slice(0, HOSTNAME_LENGTH_MAX)
    .replace(/^-+|-+$/g, '')
}
