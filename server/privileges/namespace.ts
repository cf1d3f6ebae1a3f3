/**
 * A mount namespace for a server whose files are below directories that its user may not enter (a checkout in
 * /root). In it these directories hold only what the server needs, and every user may enter them. Paths stay the same, and
 * nothing changes outside.
 *
 * Node cannot move into it: the server starts once more in it ({@link liveInNamespace}), and the process that root started
 * waits outside.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { type Account, runAs } from './account.js'
import { accountFor } from './choose.js'
import { may } from './missing-access.js'
import { planNamespace } from './namespace-plan.js'
import { namespaceScript } from './namespace-script.js'
import { type PrivilegeOptions, rootsOf } from './needs.js'
import { walkPath } from './path-walk.js'

/** Later mounts and unmounts of the operator show in it; those made in it do not show outside. */
export const unshareFlags = ['--mount', '--propagation', 'slave'] as const

/** Setting it up takes about 50 ms. */
const setupMs = 20_000

/** A mount namespace that can be made. */
export interface Namespace {
  /** Sets it up; for a shell in a new mount namespace. */
  readonly script: string
  /** The directories of which only a part is visible in it. */
  readonly covered: readonly string[]
  /** The user that runs in it. */
  readonly account: Account
}

/**
 * The mount namespace that a server with these options needs: undefined if it needs none, or stays
 * root; a reason if it cannot be made here. The directories of the data and the artifacts are there already.
 *
 * @throws BootswarmError CONFIG_INVALID for an unknown user or group
 */
export function prepareNamespace(
  options: PrivilegeOptions,
): Namespace | { readonly reason: string } | undefined {
  const account = accountFor(options)
  if ('remedy' in account || account.uid === 0) return undefined
  const ways = rootsOf(options, loadedFiles()).flatMap((path) => walkPath(path) ?? [])
  const passed = [...new Set(ways.flatMap((way) => way.passed))]
  const covers = planNamespace(ways, closedTo(account, passed), process.cwd())
  if (covers.length === 0) return undefined
  const script = namespaceScript(covers, (path) => statSync(path).isDirectory())
  const trial = spawnSync('unshare', [...unshareFlags, 'sh', '-c', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    timeout: setupMs,
  })
  if (trial.error !== undefined) {
    const isMissing = (trial.error as NodeJS.ErrnoException).code === 'ENOENT'
    return { reason: isMissing ? 'there is no unshare; apt-get install util-linux' : trial.error.message }
  }
  if (trial.status !== 0) return { reason: trial.stderr.trim().split('\n')[0] || 'unshare failed' }
  return { script, covered: covers.map(({ path }) => path), account }
}

/**
 * Those that the account may not enter. Each is tried from within, so that one above it hides nothing: tried instead
 * of computed, for ACLs and mounts count too.
 */
function closedTo(account: Account, directories: readonly string[]): string[] {
  const cwd = process.cwd()
  try {
    return directories.filter(
      (directory) =>
        // Where root itself may not go (NFS), it can cover nothing.
        may(() => process.chdir(directory)) && !runAs(account, () => may(() => statSync('./.'))),
    )
  } finally {
    process.chdir(cwd)
  }
}

/** Node itself and the libraries that it has loaded, as long as they are still there. */
function loadedFiles(): string[] {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n')
  const names = lines.flatMap((line) => /^\S+ r-x\S* \S+ \S+ \S+ +(\/.*)$/.exec(line)?.[1] ?? [])
  return [...new Set([process.execPath, ...names])]
}
