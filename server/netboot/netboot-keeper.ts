/**
 * Starts the netboot process again when it dies, and another when interfaces have changed, although the daemon has given root up by then: its ports are root's.
 * Does nothing else, listens to nobody but the daemon, and passes messages on. Runs only where the daemon was started
 * as root and becomes another user.
 */

import { Child, toParent } from '../process/child.js'
import type { FromNetboot, StartNetboot, ToNetboot } from './messages.js'

const child = new Child<ToNetboot, FromNetboot>(new URL('./netboot-process.js', import.meta.url), {
  started: () => {
    if (first !== undefined) toParent({ type: 'restarted' } satisfies FromNetboot)
  },
  message: toParent,
  exited: (exit) => toParent({ type: 'exited', ...exit } satisfies FromNetboot),
})
let first: { readonly account: StartNetboot['account'] } | undefined

process.on('message', (message: ToNetboot) => {
  if (message.type === 'replace') return child.replace({ type: 'retire' })
  if (message.type !== 'start') return child.send(message)
  if (first === undefined) child.start()
  first ??= { account: message.account }
  // Whom to become was said by a daemon that was root. What it says later may be somebody else's word.
  const { account } = first
  child.send({ ...message, ...(account === undefined ? {} : { account }) })
})

// The ports are free when this process is gone.
const end = () => void child.stop().then(() => process.exit(0))
process.on('disconnect', end)
if (!process.connected) end()
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
