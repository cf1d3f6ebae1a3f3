/**
 * The shell script that furnishes a mount namespace: run by root in a mount namespace of its own, it lays a small file system
 * over each closed directory and mounts what the server needs back at the same paths.
 */
import { dirname } from 'node:path'
import type { Cover } from './namespace-plan.js'
import { shellQuote } from './shell-quote.js'

/** Holds directories and links only. */
const coverOptions = 'mode=755,size=1m,nr_inodes=4096,nosuid,nodev'

/**
 * Ends with a failure at the first step that fails. Nothing of it is seen outside of the namespace. Descriptor 3 is
 * left alone.
 *
 * @param isDirectory of a path that is kept: else it is a single file
 */
export function namespaceScript(covers: readonly Cover[], isDirectory: (path: string) => boolean): string {
  const lines = covers.flatMap(({ path, kept, links, empty }) => [
    // What is covered is still reached through a descriptor; -c, for its name must be taken as it is.
    `exec 4<${shellQuote(path)}`,
    `mount -t tmpfs -o ${coverOptions} bootswarm ${shellQuote(path)}`,
    ...kept.flatMap((at) => {
      const source = shellQuote(`/proc/self/fd/4${at.slice(path.length)}`)
      const target = shellQuote(at)
      const make = isDirectory(at)
        ? `mkdir -p ${target}`
        : `mkdir -p ${shellQuote(dirname(at))} && : >${target}`
      // With what is mounted below.
      return [make, `mount -c --rbind ${source} ${target}`]
    }),
    ...empty.map((at) => `mkdir -p ${shellQuote(at)}`),
    ...links.map(
      ([name, target]) =>
        `mkdir -p ${shellQuote(dirname(name))} && ln -s -- ${shellQuote(target)} ${shellQuote(name)}`,
    ),
    `exec 4<&-`,
    `mount -o remount,ro ${shellQuote(path)}`,
  ])
  return ['set -e', 'umask 022', ...lines].join('\n')
}
