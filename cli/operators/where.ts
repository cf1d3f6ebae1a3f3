/** `--where state=failed,rack=r7` as the query of a list of nodes. Pure. */
import { BootswarmError } from '../../src/errors.js'
import { nearest } from '../../src/spelling.js'

/** Of a key that is named twice either value may hold. */
const several = ['state', 'cause', 'rack', 'vendor', 'product', 'serial', 'uuid', 'pci', 'mac'] as const
const keys = [...several, 'text'] as const

/** What the server is asked: the values of each key, with commas. */
export type Query = Readonly<Record<string, string>>

/**
 * Reads the conditions.
 * @throws {BootswarmError} USAGE_INVALID
 */
export function parseWhere(text: string): Query {
  const query = new Map<string, string>()
  for (const condition of text.split(',')) {
    const [, key = '', value = ''] = /^\s*([^=\s]*)\s*=\s*(.*?)\s*$/.exec(condition) ?? []
    if (!(keys as readonly string[]).includes(key)) {
      const meant = nearest(key, keys)
      throw usage(
        `${JSON.stringify(condition.slice(0, 40))} ${meant ? `did you mean ${meant}=?` : `begins with none of ${keys.join('=, ')}=`}`,
      )
    }
    if (value === '') throw usage(`${key}= needs a value`)
    const before = query.get(key)
    if (before !== undefined && key === 'text') throw usage(`${key}= is possible once`)
    query.set(key, before === undefined ? value : `${before},${value}`)
  }
  return Object.fromEntries(query)
}

function usage(message: string): BootswarmError {
  return new BootswarmError('USAGE_INVALID', `--where: ${message}`)
}
