/**
 * The members and JSON types of a manifest (docs/manifest.md): a missing member or a wrong type is
 * MANIFEST_MALFORMED, one that is not known MANIFEST_UNKNOWN_FIELD. Values' ranges are manifest-limits.ts.
 */

import { BootswarmError } from './errors.js'
import type { Manifest } from './manifest-types.js'

type Shape = 'string' | 'integer' | 'map' | { readonly list: Shape } | { readonly members: Members }
interface Members {
  readonly [name: string]: Shape
}

const ARTIFACT: Shape = {
  members: {
    format: 'string',
    infohash: 'string',
    kind: 'string',
    name: 'string',
    origins: { list: 'string' },
    piece_length: 'integer',
    pieces: 'string',
    sha256: 'string',
    size_bytes: 'integer',
  },
}

const MANIFEST: Shape = {
  members: {
    artifacts: { list: ARTIFACT },
    dht: { list: 'string' },
    events_url: 'string',
    node: { members: { hostname: 'string', id: 'string', rack: 'string', settings: 'map' } },
    nonce: 'string',
    seeders: { list: 'string' },
    site: 'string',
    time_s: 'integer',
    trackers: { list: 'string' },
    version: 'integer',
  },
}

/** @throws BootswarmError MANIFEST_MALFORMED, MANIFEST_UNKNOWN_FIELD */
export function checkShape(value: unknown): asserts value is Manifest {
  check(value, MANIFEST, '')
}

function check(value: unknown, shape: Shape, where: string): void {
  const name = where === '' ? 'the manifest' : where
  if (shape === 'string') {
    if (typeof value !== 'string') throw malformed(`${name} must be a string`)
  } else if (shape === 'integer') {
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw malformed(`${name} must be an integer`)
  } else if (shape === 'map') {
    for (const [key, item] of Object.entries(object(value, name)))
      check(item, 'string', `${where}.${key.slice(0, 64)}`)
  } else if ('list' in shape) {
    if (!Array.isArray(value)) throw malformed(`${name} must be an array`)
    for (const [i, item] of value.entries()) check(item, shape.list, `${where}[${i}]`)
  } else {
    const members = object(value, name)
    for (const key of Object.keys(members)) {
      if (!Object.hasOwn(shape.members, key)) {
        throw new BootswarmError(
          'MANIFEST_UNKNOWN_FIELD',
          `${name} has the unknown member ${JSON.stringify(key.slice(0, 64))}`,
        )
      }
    }
    for (const [key, inner] of Object.entries(shape.members)) {
      if (!Object.hasOwn(members, key)) throw malformed(`${name} lacks ${key}`)
      check(members[key], inner, where === '' ? key : `${where}.${key}`)
    }
  }
}

function object(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed(`${name} must be an object`)
  return value as Record<string, unknown>
}

function malformed(message: string): BootswarmError {
  return new BootswarmError('MANIFEST_MALFORMED', message)
}
