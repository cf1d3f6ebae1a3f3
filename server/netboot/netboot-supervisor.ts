/**
 * Restarts the netboot process when it dies, and replaces it when interfaces have changed. The ports need root, which the
 * daemon has dropped by then, so this process keeps it. It does nothing else, takes messages from the daemon only, and
 * forwards them. It exists only if the daemon was started as root and becomes another user.
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
  // The first message came from a daemon that was root. Later ones do not: they must not choose the user.
  const { account } = first
  child.send({ ...message, ...(account === undefined ? {} : { account }) })
})

// The ports are free when this process is gone.
const end = () => void child.stop().then(() => process.exit(0))
process.on('disconnect', end)
if (!process.connected) end()
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
