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

/** A host name for a node that has none configured: its identity with what a label (RFC 1123) cannot hold as dashes. */
export function defaultHostname(nodeId: string): string {
  const mac = normalizeMac(nodeId)
  const label = mac ? `node-${mac.replaceAll(':', '')}` : nodeId.replace(/[^a-z0-9-]/g, '-')
  return label.slice(0, HOSTNAME_LENGTH_MAX).replace(/-+$/, '')
}
