/** How many files and sockets this process may have open (RLIMIT_NOFILE). */

import { closeSync, openSync, readFileSync } from 'node:fs'

/** What Linux gives where nothing else is set. */
const openFilesDefault = 1024

/** The soft limit now; Node.js raises it to the hard one when it starts. */
export function openFilesMax(): number {
  try {
    return parseOpenFilesMax(readFileSync('/proc/self/limits', 'latin1'))
  } catch {
    return openFilesDefault
  }
}

/** Whether none is left: then libuv closes new connections as soon as they come, and says nothing. */
export function isOutOfDescriptors(): boolean {
  try {
    closeSync(openSync('/dev/null', 'r'))
    return false
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'EMFILE' || code === 'ENFILE'
  }
}

/** From the text of `/proc/PID/limits` (proc(5)). */
export function parseOpenFilesMax(limits: string): number {
  const soft = /^Max open files +(\S+)/m.exec(limits)?.[1]
  if (soft === 'unlimited') return Number.MAX_SAFE_INTEGER
  return soft === undefined ? openFilesDefault : Number(soft)
}
