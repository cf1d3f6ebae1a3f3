/** `--where state=failed,rack=r7` as the query of a list of nodes. Pure. */
import { BootswarmError } from '../../src/errors.js'
import { nearest } from '../../src/spelling.js'

const keys = ['state', 'cause', 'rack', 'text'] as const
/** Either value may hold. */
const several: readonly string[] = ['state', 'cause', 'rack']

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
    if (before !== undefined && !several.includes(key)) throw usage(`${key}= is possible once`)
    query.set(key, before === undefined ? value : `${before},${value}`)
  }
  return Object.fromEntries(query)
}

function usage(message: string): BootswarmError {
  return new BootswarmError('USAGE_INVALID', `--where: ${message}`)
}
