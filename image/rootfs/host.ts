/** Whether this machine can build a root, and how: as root, or as an ordinary user in a user namespace. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { ensureTools, onPath, type Tool } from '../../host/tools.js'
import { BootswarmError } from '../../src/errors.js'

/** How mmdebstrap becomes root of the new tree. */
export type Mode = 'root' | 'unshare'

/** What is known of the machine; given, so that the answer can be tested. */
export interface Host {
  readonly uid: number
  readonly user: string
  readonly hasNewuidmap: boolean
  readonly subuid: string
  readonly subgid: string
  /** Whether a user namespace could be made. */
  readonly namespaces: boolean
}

/** Looks at this machine. */
export function thisHost(): Host {
  const { uid, username } = userInfo()
  return {
    uid,
    user: username,
    hasNewuidmap: onPath('newuidmap') && onPath('newgidmap'),
    subuid: textOf('/etc/subuid'),
    subgid: textOf('/etc/subgid'),
    namespaces: uid === 0 || spawnSync('unshare', ['--user', '--map-root-user', 'true']).status === 0,
  }
}

/**
 * Decides how to build.
 *
 * @throws {BootswarmError} TOOL_MISSING or IMAGE_FAILED with the command that mends it
 */
export function chooseMode(host: Host): Mode {
  if (host.uid === 0) return 'root'
  const { user } = host
  if (!host.hasNewuidmap) {
    throw new BootswarmError(
      'TOOL_MISSING',
      'an ordinary user needs newuidmap to build a root file system: sudo apt-get install -y uidmap',
    )
  }
  const lacks = [host.subuid, host.subgid].some((text) => !hasRange(text, user, host.uid))
  if (lacks) {
    throw failed(
      `${user} has no 65536 subordinate user and group numbers: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user}`,
    )
  }
  if (!host.namespaces) {
    throw failed(
      `${user} may not make user namespaces (in a container they are often forbidden): sudo sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=15000, or run this as root`,
    )
  }
  return 'unshare'
}

/** Makes sure that the programs are there. @throws {BootswarmError} TOOL_MISSING */
export function needTools(tools: readonly Tool[]): void {
  ensureTools(tools)
}

/** A line `user:first:count` of subuid(5), by name or number. */
function hasRange(text: string, user: string, uid: number): boolean {
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .some(([who, , count]) => (who === user || who === String(uid)) && Number(count) >= 65_536)
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function failed(message: string): BootswarmError {
  return new BootswarmError('IMAGE_FAILED', message)
}
