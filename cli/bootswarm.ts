/** `bootswarm COMMAND ...`: picks the command by the first argument. Flags without a command go to the server. */
import { readFileSync } from 'node:fs'
import { complain, printText } from '../host/console.js'
import { BootswarmError } from '../src/errors.js'
import { chooseCommand } from './choose-command.js'
import { commands } from './commands.js'

process.exitCode = await run(process.argv.slice(2))

async function run(words: readonly string[]): Promise<number> {
  try {
    const choice = chooseCommand(words, commands)
    if (choice.kind === 'text') return print(choice.text)
    if (choice.kind === 'version') return print(`bootswarm ${version()}\n`)
    const { main } = await choice.command.load()
    return await main(choice.args)
  } catch (error) {
    if (!(error instanceof BootswarmError)) {
      complain(error instanceof Error ? (error.stack ?? error.message) : String(error))
      return 1
    }
    complain(`${error.code}: ${error.message}`)
    return error.code === 'USAGE_INVALID' ? 2 : 1
  }
}

function print(text: string): number {
  printText(text)
  return 0
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
