/**
 * A mount namespace of its own for the server, where directories that its user may not enter are in the way (a checkout in
 * /root): a mount namespace in which they hold nothing but what the server needs, and everybody may enter them. All
 * paths stay what they are, and outside nothing changes.
 *
 * Node cannot move into it: the server starts once more in it ({@link liveInNamespace}), and the process that root started
 * waits outside.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { type Account, runAs } from './account.js'
import { accountFor } from './choose.js'
import { planNamespace } from './namespace-plan.js'
import { namespaceScript } from './namespace-script.js'
import { type PrivilegeOptions, rootsOf } from './needs.js'
import { may } from './obstacle.js'
import { wayTo } from './way.js'

/** Mounts that the operator makes later, and takes away, are seen in it; those made in it are seen by nobody else. */
export const unshareFlags = ['--mount', '--propagation', 'slave'] as const

/** Furnishing takes some 50 ms. */
const furnishMs = 20_000

/** A mount namespace that can be made. */
export interface Namespace {
  /** Furnishes it; for a shell in a new mount namespace. */
  readonly script: string
  /** The directories of which only a part is seen in it. */
  readonly covered: readonly string[]
  /** Who lives in it. */
  readonly account: Account
}

/**
 * The mount namespace that a server with these options needs: undefined if nothing closed is in the way, or nobody else is to be
 * become; a reason if it cannot be made here. The directories of the data and the artifacts are there already.
 *
 * @throws BootswarmError CONFIG_INVALID for an unknown user or group
 */
export function prepareNamespace(
  options: PrivilegeOptions,
): Namespace | { readonly reason: string } | undefined {
  const account = accountFor(options)
  if ('mend' in account || account.uid === 0) return undefined
  const ways = rootsOf(options, loadedFiles()).flatMap((path) => wayTo(path) ?? [])
  const passed = [...new Set(ways.flatMap((way) => way.passed))]
  const covers = planNamespace(ways, closedTo(account, passed), process.cwd())
  if (covers.length === 0) return undefined
  const script = namespaceScript(covers, (path) => statSync(path).isDirectory())
  const trial = spawnSync('unshare', [...unshareFlags, 'sh', '-c', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    timeout: furnishMs,
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
