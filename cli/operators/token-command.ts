/** `bootswarm token ...`. */
import { complain, printJson, printLines, printText } from '../../host/console.js'
import type { OperatorToken } from '../../server/api/operators/schemas.js'
import { BootswarmError } from '../../src/errors.js'
import { roles } from '../../src/roles.js'
import { tokenOutline } from './outlines.js'
import { type Session, withSession } from './session.js'
import { formatTable } from './table.js'
import { formatTime } from './words.js'

const parts: Readonly<Record<string, (session: Session) => Promise<number>>> = {
  new: makeToken,
  list: listTokens,
  revoke: revokeToken,
}

/** Runs the part that the first argument names. */
export function main(args: readonly string[]): Promise<number> {
  return withSession(tokenOutline, args, async (session) => {
    const run = parts[session.call.path.at(-1) ?? '']
    if (run === undefined) throw new Error(`${session.call.path.join(' ')} has no code`)
    return run(session)
  })
}

/** The token alone goes to standard output: `token new --role view > FILE`. */
async function makeToken({ call, client }: Session): Promise<number> {
  const role = call.flags.get('role') ?? ''
  const name = call.flags.get('name') ?? ''
  if (!(roles as readonly string[]).includes(role))
    throw new BootswarmError('USAGE_INVALID', `--role: expected ${roles.join(', ')}`)
  if (call.flags.has('dry-run')) {
    printLines([`would make a token with the role ${role}; nothing was changed`])
    return 0
  }
  const made = await client.makeToken(role, name)
  if (call.flags.has('json')) {
    printJson(made, 2)
    return 0
  }
  printLines([made.token])
  complain(
    `token ${made.id}, role ${role}: it is shown this once, and goes to --token-file or BOOTSWARM_TOKEN`,
  )
  const { operators } = await client.status()
  if (operators.url !== '')
    complain(
      `on another machine: --server ${operators.url} --fingerprint ${operators.key_sha256} --token-file FILE`,
    )
  return 0
}

async function listTokens({ call, client, width }: Session): Promise<number> {
  const tokens = await client.tokens()
  if (call.flags.has('json')) {
    printJson(tokens, 2)
    return 0
  }
  const columns = [
    { title: 'ID', of: ({ id }: OperatorToken) => id },
    { title: 'ROLE', of: ({ role }: OperatorToken) => role },
    { title: 'MADE', of: ({ created_ms: ms }: OperatorToken) => formatTime(ms) },
    { title: 'REVOKED', of: ({ revoked_ms: ms }: OperatorToken) => (ms === null ? '' : formatTime(ms)) },
    { title: 'NAME', of: ({ name }: OperatorToken) => name, min: 8 },
  ]
  printText(
    formatTable(columns, tokens, width)
      .map((line) => `${line}\n`)
      .join(''),
  )
  return 0
}

async function revokeToken({ call, client }: Session): Promise<number> {
  const [id = ''] = call.words
  const token = call.flags.has('dry-run')
    ? (await client.tokens()).find((one) => one.id === id && one.revoked_ms === null)
    : await client.revokeToken(id)
  if (token === undefined)
    throw new BootswarmError(
      'TOKEN_UNKNOWN',
      'there is no such token, or it has been revoked: see token list',
    )
  const what = `token ${token.id}, role ${token.role}${token.name === '' ? '' : `, ${token.name}`}`
  if (call.flags.has('json')) printJson(token, 2)
  else
    printLines([call.flags.has('dry-run') ? `would revoke ${what}; nothing was changed` : `revoked ${what}`])
  return 0
}
