/** `bootswarm config ...`: checks, shows, compares and changes the configuration. Needs no running server. */

import { complain, printText } from '../../host/console.js'
import { flagsHelp } from '../../src/command-line.js'
import { BootswarmError, type ErrorCode } from '../../src/errors.js'
import { nearest } from '../../src/spelling.js'
import * as apply from './apply.js'
import { type Part, readArguments } from './arguments.js'
import * as check from './check.js'
import * as diff from './diff.js'
import { applyPart, checkPart, diffPart, showPart } from './parts.js'
import * as show from './show.js'

const parts = [
  { part: checkPart, run: check.run },
  { part: showPart, run: show.run },
  { part: diffPart, run: diff.run },
  { part: applyPart, run: apply.run },
]

/** Wrong files and wrong arguments: exit code 2. */
const wrongCodes: readonly ErrorCode[] = ['CONFIG_INVALID', 'CONFIG_UNKNOWN_KEY', 'CONFIG_UNREADABLE']

/**
 * Runs the part that the first argument names; 0 done, 1 refused or failed, 2 a wrong configuration.
 *
 * @throws BootswarmError USAGE_INVALID
 */
export async function main(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args
  const called = parts.find(({ part }) => part.name === first)
  if (called === undefined) {
    if (first !== '--help' && first !== '-h') throw new BootswarmError('USAGE_INVALID', unknown(first))
    printText(helpText())
    return 0
  }
  try {
    const given = readArguments(called.part, rest)
    if (given.flags.has('help')) {
      printText(helpOf(called.part))
      return 0
    }
    return await called.run(given, { env: process.env, cwd: process.cwd() })
  } catch (error) {
    if (!(error instanceof BootswarmError) || !wrongCodes.includes(error.code)) throw error
    complain(`${error.code}: ${error.message}`)
    return 2
  }
}

function unknown(wanted = '--'): string {
  const names = parts.map(({ part }) => part.name)
  if (wanted.startsWith('-')) return `config what? ${names.join(', ')}; config --help explains`
  const meant = nearest(wanted, names)
  return `there is no config ${JSON.stringify(wanted.slice(0, 40))}: ${meant ? `did you mean ${meant}?` : names.join(', ')}`
}

function helpText(): string {
  return [
    'bootswarm config PART [options]',
    '',
    ...parts.map(({ part: { name, word, summary } }) => `  ${`${name} ${word}`.padEnd(16)}${summary}`),
    '',
    'config PART --help lists the options of one.',
    '',
  ].join('\n')
}

function helpOf({ name, word, summary, flags }: Part): string {
  return [`bootswarm config ${name} ${word} [options]: ${summary}`, '', flagsHelp(flags)].join('\n')
}
