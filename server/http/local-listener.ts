/** A listener on a Unix socket: for whoever may open it on this machine, which its mode alone decides. */
import { once } from 'node:events'
import { lstatSync, rmSync } from 'node:fs'
import { withSocketPath } from '../../host/unix-socket.js'
import { BootswarmError } from '../../src/errors.js'
import { type AppOptions, closeApp, makeApp } from './listener.js'
import { paceRequests } from './request-pacer.js'

/** More clients than one machine's operators need; of the descriptors that are kept from other clients. */
const connectionsMax = 32

/** What it is made of. */
export interface LocalListenerOptions extends Omit<AppOptions, 'tls'> {
  /** A socket that is there was left by a server that was killed: only one at a time has the data directory. */
  readonly path: string
}

/**
 * Starts to listen, with mode 0600.
 *
 * @throws BootswarmError DATA_DIR_UNUSABLE
 */
export async function listenLocally(options: LocalListenerOptions): Promise<{ close(): Promise<void> }> {
  const { path, limits } = options
  const app = await makeApp(options)
  const { server } = app
  server.maxConnections = connectionsMax
  paceRequests(server, false, {
    turn: (address, run) => limits.turns.take(address, run),
    begun: () => () => {},
  })
  await app.ready()
  try {
    removeStale(path)
    const listening = once(server, 'listening')
    withMask(0o177, () => withSocketPath(path, (short) => server.listen(short)))
    await listening
  } catch (cause) {
    await app.close()
    const message = `${path} cannot be made: ${(cause as Error).message}`
    throw new BootswarmError('DATA_DIR_UNUSABLE', message, { cause })
  }
  return {
    close: async () => {
      await closeApp(app)
      rmSync(path, { force: true })
    },
  }
}

function removeStale(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return
  if (!stats.isSocket()) throw new Error('there is something else with this name')
  rmSync(path)
}

/** Nobody else may open it, not for a moment either. */
function withMask(mask: number, run: () => void): void {
  const before = process.umask(mask)
  try {
    run()
  } finally {
    process.umask(before)
  }
}
