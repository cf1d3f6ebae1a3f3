/** Which command a command line names. Pure. */

import { BootswarmError } from '../src/errors.js'
import { nearest } from '../src/spelling.js'
import type { Command } from './commands.js'

/** What to do. */
export type Choice =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'command'; readonly command: Command; readonly args: readonly string[] }

/**
 * Looks up the first argument. `help COMMAND` is `COMMAND --help`.
 * @throws {BootswarmError} USAGE_INVALID for an unknown command.
 */
export function chooseCommand(words: readonly string[], commands: readonly [Command, ...Command[]]): Choice {
  const [first, ...rest] = words
  if (first === '--help' || first === '-h' || (first === 'help' && rest.length === 0)) {
    return { kind: 'text', text: helpText(commands) }
  }
  if (first === '--version') return { kind: 'version' }
  if (first === undefined || first.startsWith('-')) {
    return { kind: 'command', command: commands[0], args: words }
  }
  const wanted = (first === 'help' ? rest[0] : first) ?? ''
  const command = commands.find(({ name }) => name === wanted)
  if (command === undefined) {
    const names = commands.map(({ name }) => name)
    const meant = nearest(wanted, names)
    throw new BootswarmError(
      'USAGE_INVALID',
      `there is no command ${JSON.stringify(wanted.slice(0, 40))}${meant ? `: did you mean ${meant}?` : `: ${names.join(', ')}`}`,
    )
  }
  return { kind: 'command', command, args: first === 'help' ? ['--help'] : rest }
}

function helpText(commands: readonly [Command, ...Command[]]): string {
  const column = Math.max(...commands.map(({ name }) => name.length)) + 2
  return [
    'bootswarm [COMMAND] [options]: boots a farm of diskless machines from one server.',
    '',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(column)}${summary}`),
    `  ${'help'.padEnd(column)}this text; help COMMAND: the options of one`,
    '',
    `Without a command it is ${commands[0].name}. --version prints the version.`,
    '',
  ].join('\n')
}
