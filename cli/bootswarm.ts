/** `bootswarm COMMAND ...`: picks the command by the first argument. Flags without a command go to the server. */
import { complain, printText } from '../host/console.js'
import { programVersion } from '../host/program-version.js'
import { BootswarmError } from '../src/errors.js'
import { chooseCommand } from './choose-command.js'
import { commands } from './commands.js'
import { exitCodeOf } from './exit-codes.js'

process.exitCode = await run(process.argv.slice(2))

async function run(words: readonly string[]): Promise<number> {
  try {
    const choice = chooseCommand(words, commands)
    if (choice.kind === 'text') return print(choice.text)
    if (choice.kind === 'version') return print(`bootswarm ${programVersion()}\n`)
    const { main } = await choice.command.load()
    return await main(choice.args, commands)
  } catch (error) {
    if (!(error instanceof BootswarmError)) {
      complain(error instanceof Error ? (error.stack ?? error.message) : String(error))
      return 1
    }
    complain(`${error.code}: ${error.message}`)
    return exitCodeOf(error.code)
  }
}

function print(text: string): number {
  printText(text)
  return 0
}
