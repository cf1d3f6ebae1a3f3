/** What every command that asks a server does first: read its arguments, find the server. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { printText } from '../../host/console.js'
import { printable } from '../../src/text.js'
import { type Call, type Outline, readCall } from '../outline.js'
import { ApiClient } from './client.js'
import { localDoor, remoteDoor, userName } from './connect.js'
import { KnownServers } from './known-servers.js'
import { chooseTarget } from './target.js'

/** A command that may ask. */
export interface Session {
  readonly call: Call
  readonly client: ApiClient
  /** Of the terminal; undefined: it is none, and nothing is cut. */
  readonly width: number | undefined
}

/** Runs a command with its session; 0 where it is only the help that is wanted. */
export async function withSession(
  outline: Outline,
  args: readonly string[],
  run: (session: Session) => Promise<number>,
): Promise<number> {
  const reading = readCall(outline, args)
  if ('help' in reading) {
    printText(reading.help)
    return 0
  }
  const { call } = reading
  const { env } = process
  const target = await chooseTarget({ flags: call.flags, env, cwd: process.cwd() })
  const door =
    target.kind === 'local'
      ? localDoor(target, userName(env))
      : remoteDoor(
          target,
          new KnownServers({
            file: join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'bootswarm', 'known-servers'),
            ask: process.stdin.isTTY === true && process.stderr.isTTY === true ? ask : undefined,
          }),
        )
  const client = new ApiClient(door)
  try {
    return await run({
      call,
      client,
      width: process.stdout.isTTY === true ? process.stdout.columns : undefined,
    })
  } finally {
    client.close()
  }
}

/** Asks at the terminal, beside what goes to standard output. */
async function ask(question: string): Promise<boolean> {
  const lines = question.split('\n').map((line) => printable(line))
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question(`${lines.join('\n')} [y/N] `)).trim())
  } finally {
    terminal.close()
  }
}
