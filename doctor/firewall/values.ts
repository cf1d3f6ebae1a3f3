/** Comparing what rules name with what a packet has. Pure. */

import { cidrMatcher, isCidr } from '../../src/net.js'

/** Whether a port lies in one of `69`, `8480:8490`, `8480-8490`, or service names that are not known (undefined). */
export function portIn(port: number | undefined, ranges: readonly string[]): boolean | undefined {
  if (port === undefined) return undefined
  const answers = ranges.map((range) => {
    const match = /^([0-9]+)(?:[-:]([0-9]+))?$/.exec(range)
    if (match === null) return undefined
    return port >= Number(match[1]) && port <= Number(match[2] ?? match[1])
  })
  return anyOf(answers)
}

/** Whether an interface is meant by `eth0`, or `lan*` and `lan+` (iptables) for all that begin so. */
export function interfaceIs(name: string, pattern: string): boolean {
  const isPrefix = /[*+]$/.test(pattern)
  return isPrefix ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}

/** Whether an address lies in `10.0.0.0/8` or is `10.0.0.1`; other forms are not known. */
export function addressIn(address: string, block: string): boolean | undefined {
  if (isCidr(block)) return cidrMatcher(block)(address)
  if (isCidr(`${block}/32`)) return block === address
  return isCidr(`${block}/128`) ? false : undefined
}

/** Yes if one is, no if none is, else not known. */
export function anyOf(answers: readonly (boolean | undefined)[]): boolean | undefined {
  if (answers.includes(true)) return true
  return answers.includes(undefined) ? undefined : false
}

/** The opposite of what is known. */
export function not(answer: boolean | undefined): boolean | undefined {
  return answer === undefined ? undefined : !answer
}
