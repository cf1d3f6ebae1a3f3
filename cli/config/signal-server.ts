/** Has the server of a data directory read its configuration again. */

import { readServerPid } from '../../server/process/ports-file.js'
import { isDataDirLocked } from '../../server/store/lock.js'

/** Says what was done, or what is to be done. */
export function signalServer(dataDir: string): string {
  const isRunning = isDataDirLocked(dataDir)
  if (isRunning === false) return `No server runs on ${dataDir}: it will read the file when it starts.`
  const pid = readServerPid(dataDir)
  // Without the lock the number may be another process's, which a signal could end.
  if (isRunning === undefined || pid === undefined) {
    return `Whether a server runs on ${dataDir} cannot be told. If one does: sudo kill -HUP its process id.`
  }
  try {
    process.kill(pid, 'SIGHUP')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'EPERM'
      ? `The running server is another user's. Have it read the file: sudo kill -HUP ${pid}`
      : `The server could not be told (${code}). Have it read the file: kill -HUP ${pid}`
  }
  return `The running server (process ${pid}) reads it now: server.reloaded in its log.`
}
