/** `bootswarm completion SHELL`. */
import { printText } from '../host/console.js'
import { BootswarmError } from '../src/errors.js'
import { type Completed, completionScript } from './completion.js'
import { completionOutline, type Shell, shells } from './completion-outline.js'
import { readCall } from './outline.js'

/** Runs the command, for those of the table. */
export async function main(args: readonly string[], commands: readonly Completed[]): Promise<number> {
  const reading = readCall(completionOutline, args)
  if ('help' in reading) {
    printText(reading.help)
    return 0
  }
  const [shell] = reading.call.words
  if (!isShell(shell)) throw new BootswarmError('USAGE_INVALID', `which shell? ${shells.join(', ')}`)
  printText(completionScript(shell, commands))
  return 0
}

function isShell(text: string | undefined): text is Shell {
  return (shells as readonly (string | undefined)[]).includes(text)
}
