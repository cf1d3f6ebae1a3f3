/** Host names for many nodes: `rig{index:3}`, `{rack}-{mac}`, `{serial}`. Pure. */

import { z } from 'zod'
import { HOSTNAME_LENGTH_MAX } from './limits.js'
import { hostLabel, normalizeMac } from './node-id.js'

/** What a pattern is filled in from; what is not known is left out. */
export interface HostnameFacts {
  readonly id: string
  readonly rack: string
  /** The node's place in the hostlist, from 1. */
  readonly index: number | undefined
  /** The serial number of its machine. */
  readonly serial?: string | undefined
}

const place = /\{(?:(index)(?::([1-9]))?|(mac|rack|serial))\}/g
const end = `(?:[A-Za-z0-9]|${place.source})`

/** A host name (RFC 1123 label) with places to fill in. */
export const hostnamePattern = z
  .string()
  .regex(
    new RegExp(`^${end}(?:(?:-|${end})*${end})?$`),
    'expected letters, digits, dashes, {index}, {index:3}, {mac}, {serial} and {rack}',
  )
  .max(HOSTNAME_LENGTH_MAX)

/** Whether the text has anything to fill in. */
export function isPattern(text: string): boolean {
  return text.search(place) >= 0
}

/** Whether it says `{index}`, which only nodes of a hostlist have. */
export function needsIndex(text: string): boolean {
  return text.includes('{index')
}

/** Whether no two nodes can get the same name from it, where vendors give no serial number twice. */
export function tellsApart(text: string): boolean {
  return needsIndex(text) || text.includes('{mac}') || text.includes('{serial}')
}

/** The host name of a node; undefined if something that it says is not known of this node, or the name gets too long. */
export function fillIn(pattern: string, { id, rack, index, serial }: HostnameFacts): string | undefined {
  const values: Readonly<Record<string, string | undefined>> = {
    index: index?.toString(),
    mac: normalizeMac(id)?.replaceAll(':', ''),
    rack: hostLabel(rack),
    serial: hostLabel(serial ?? ''),
  }
  let isKnown = true
  const name = pattern.replace(place, (_, index?: string, width?: string, other?: string) => {
    const value = values[index ?? other ?? '']
    if (value === undefined || value === '') isKnown = false
    return (value ?? '').padStart(Number(width ?? 0), '0')
  })
  return isKnown && name.length <= HOSTNAME_LENGTH_MAX ? name : undefined
}
